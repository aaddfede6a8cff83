//! A preview shows what a reader would hold in their hand, and follows the hand of whoever writes.

use crate::cli::desk::{Desk, TEXTS};
use crate::support::eventually;
use std::path::Path;
use std::process::{Child, Stdio};

const NAME: &str = "uk-gdpr/sms.en";

/// A preview that goes on until the test is over.
struct Watch(Child);

impl Watch {
    fn start(desk: &Desk, name: &str, out: &str, errors: &Path) -> Self {
        let mut command = desk.command(&["template", "preview", name, "--texts", "texts.toml", "--out", out, "--watch"]);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(errors).unwrap());
        Self(command.spawn().unwrap())
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let ended = self.0.kill().and_then(|()| self.0.wait());
        assert!(ended.is_ok() || std::thread::panicking(), "{ended:?}");
    }
}

fn holds(path: &Path, words: &str) -> bool {
    std::fs::read(path).is_ok_and(|bytes| String::from_utf8_lossy(&bytes).contains(words))
}

#[tokio::test]
async fn a_watched_preview_is_written_anew_whenever_its_template_or_its_texts_change_and_survives_a_fault() {
    let mut desk = Desk::empty("preview_watch").await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    desk.duly("ann", &["template", "new", NAME]).fine();
    let own = desk.path("own/uk-gdpr/sms.en.hbs");
    let text = std::fs::read_to_string(&own).unwrap();
    let (out, errors) = (desk.path("shown.txt"), desk.path("errors"));
    let mut watch = Watch::start(&desk, NAME, "shown.txt", &errors);
    eventually("the preview is written", async || holds(&out, "A letter with the details")).await;

    std::fs::write(&own, text.replace("A letter with the details", "A letter with all of it")).unwrap();
    eventually("the template's new words are shown", async || holds(&out, "A letter with all of it")).await;

    std::fs::write(&own, text.replace("{{controller.name}}", "{{controller.nobody}}")).unwrap();
    eventually("the fault is told with its place", async || holds(&errors, "sms.en.hbs is not valid at line 2, column 1")).await;
    assert!(holds(&out, "A letter with all of it"), "a fault leaves what was shown last");

    std::fs::write(&own, text.replace("A letter with the details", "{{incident.nature}} A letter")).unwrap();
    eventually("the mended template is shown", async || holds(&out, "copied from a supplier's server")).await;
    desk.write("texts.toml", &TEXTS.replace("a supplier's server", "our own server"));
    eventually("the texts' new words are shown", async || holds(&out, "copied from our own server")).await;
    assert!(watch.0.try_wait().unwrap().is_none(), "it goes on until it is stopped");
}

#[tokio::test]
async fn a_watched_preview_follows_a_template_that_is_one_controllers_alone() {
    let mut desk = Desk::empty("preview_watch_own").await;
    desk.set("DULY_TEMPLATES__OWN", "own");
    let shipped = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/uk-gdpr/sms.en.hbs")).unwrap();
    let own = desk.path("own/controllers/northmere/uk-gdpr/sms.en.hbs");
    std::fs::create_dir_all(own.parent().unwrap()).unwrap();
    std::fs::write(&own, &shipped).unwrap();
    let out = desk.path("shown.txt");
    let _watch = Watch::start(&desk, "controllers/northmere/uk-gdpr/sms.en", "shown.txt", &desk.path("errors"));
    eventually("the preview is written", async || holds(&out, "A letter with the details")).await;

    std::fs::write(&own, shipped.replace("A letter with the details", "A letter with all of it")).unwrap();
    eventually("its new words are shown", async || holds(&out, "A letter with all of it")).await;
}

/// Width and height of a PNG, as its header says.
fn size(png: &[u8]) -> (u32, u32) {
    assert!(png.starts_with(b"\x89PNG\r\n\x1a\n") && png.ends_with(b"IEND\xae\x42\x60\x82"), "no whole PNG");
    let number = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
    (number(16), number(20))
}

#[tokio::test]
async fn a_preview_whose_file_ends_with_png_is_a_picture_of_the_page_or_the_screen() {
    let desk = Desk::empty("preview_png").await;
    let picture = |name: &str, out: &str| {
        let ran = desk.duly("ann", &["template", "preview", name, "--texts", "texts.toml", "--out", out]).fine();
        assert!(ran.err.contains(&format!("{out} written")) && ran.out.contains("Northmere Police"), "{ran:?}");
        size(&std::fs::read(desk.path(out)).unwrap())
    };

    let (wide, high) = picture("uk-gdpr/letter.en", "letter.png");
    let ratio = f64::from(high) / f64::from(wide);
    assert!(wide > 400 && ratio > 1.4, "an A4 page or several below each other: {wide} x {high}");
    // A screen is as high as its text, and whatever case the name's end has.
    let (wide, high) = picture("uk-gdpr/sms.en", "sms.PNG");
    assert!(wide > 150 && high > 60, "{wide} x {high}");
    let (mail_wide, _) = picture("uk-gdpr/email-full.en", "email.png");
    assert!(mail_wide > wide, "{mail_wide} > {wide}");
}

/// Whether a PNG of few colours has a red among them.
fn has_red(png: &[u8]) -> bool {
    let at = png.windows(4).position(|name| name == b"PLTE").expect("a picture of few colours");
    let length = u32::from_be_bytes(png[at - 4..at].try_into().unwrap()) as usize;
    png[at + 4..at + 4 + length].chunks(3).any(|colour| colour[0] > 150 && colour[1] < 100 && colour[2] < 100)
}

/// What a preview of a text message or an email says that cannot be sent.
const NOTICE: &str = "Preview, not filled in";

#[tokio::test]
async fn a_preview_of_a_text_or_an_email_with_unwritten_texts_says_so_above_it_and_a_whole_one_does_not() {
    let desk = Desk::empty("preview_notice").await;
    desk.write("whole.toml", &TEXTS.replace("[published]", "signatory = \"Ruth Amis\"\n\n[published]"));
    for name in ["uk-gdpr/sms-full.en", "uk-gdpr/email-full.en"] {
        let preview = |out: &str, more: &[&str]| {
            let ran = desk.duly("ann", &[&["template", "preview", name, "--out", out], more].concat()).fine();
            (ran.out, std::fs::read(desk.path(out)).unwrap())
        };
        let first = |text: &str| text.lines().next().unwrap().to_owned();
        let is_whole = &["--texts", "whole.toml"][..];

        let (shown, file) = preview("empty.txt", &[]);
        assert_eq!((first(&shown), first(&String::from_utf8(file).unwrap())), (NOTICE.to_owned(), NOTICE.to_owned()), "{name}");
        let (shown, file) = preview("whole.txt", is_whole);
        let file = String::from_utf8(file).unwrap();
        assert!(!shown.contains(NOTICE) && !file.contains(NOTICE) && file.contains("The server is closed"), "{name}: {file}");
        // In the picture it is red, and nothing else of a message is.
        assert!(has_red(&preview("empty.png", &[]).1) && !has_red(&preview("whole.png", is_whole).1), "{name}");
    }
}
