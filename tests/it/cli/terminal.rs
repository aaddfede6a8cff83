//! What only somebody at a terminal sees: pages that repaint, bars, colours; and that the terminal is left as it was.

use super::desk::{Desk, PERSONAL};
use crate::support::{Left, Terminal, missing};
use duly_sandbox::write_people;
use std::process::Command;

/// Begins a page anew at the upper left.
const REPAINT: &str = "\x1b[H";

fn is_missing() -> bool {
    let is_missing = !Terminal::is_there();
    if is_missing {
        missing("nothing was tried on a terminal: there is no script(1) here");
    }
    is_missing
}

fn signed(desk: &Desk, args: &[&str]) -> Command {
    let mut command = desk.command(args);
    command.env("DULY_USER_KEY", "ann.key").env("DULY_PASSPHRASE_FILE", "ann.pass");
    command
}

#[tokio::test]
async fn a_watched_status_repaints_and_ends_by_itself_when_nobody_is_open() {
    if is_missing() {
        return;
    }
    let desk = Desk::running("watch").await;
    let terminal = Terminal::start(&signed(&desk, &["status", "--watch"]));
    terminal.shows(REPAINT, 2).await;
    assert!(terminal.shown().contains("0 of 4 people notified"), "{}", terminal.shown());

    let exempt = ["person", "exempt", "--incident", "cards", "--reason", "the card was never issued"];
    desk.duly_with("ann", &exempt, "PN1\n").fine();
    terminal.shows("exempt", 1).await;
    for reference in ["PN2\n", "PN3\n", "PN5\n"] {
        desk.duly_with("ann", &exempt, reference).fine();
    }
    let left = terminal.ended().await;

    assert_eq!((left.code, &left.modes[0]), (0, &left.modes[1]), "{left:?}");
    let last = left.shown.rsplit(REPAINT).next().unwrap();
    assert!(last.contains("4 people = 4 exempt") && !last.contains("waiting"), "{last}");
    assert_eq!(PERSONAL.iter().find(|word| left.shown.contains(**word)), None);
}

#[tokio::test]
async fn ctrl_c_ends_a_watched_status_and_leaves_the_terminal_as_it_was() {
    if is_missing() {
        return;
    }
    let desk = Desk::running("watch_cut").await;
    let mut terminal = Terminal::start(&signed(&desk, &["status", "--watch"]));
    terminal.shows(REPAINT, 2).await;

    terminal.press(b"\x03");
    let left = terminal.ended().await;

    assert_eq!((left.code, &left.modes[0]), (130, &left.modes[1]), "{left:?}");
    for (taken, given_back) in [("\x1b[?25l", "\x1b[?25h"), ("\x1b[?1049h", "\x1b[?1049l")] {
        assert_eq!(left.shown.matches(taken).count(), left.shown.matches(given_back).count(), "{left:?}");
    }
    // The next prompt stands below the page, and in no colour of it.
    let (page, cut) = left.shown.rsplit_once('\n').unwrap();
    assert!(cut == "\x1b[J^C" || page.ends_with("\x1b[J") && cut == "^C", "{:?}", left.shown);
    let colours =
        |text: &str| text.matches("\x1b[1m").count() + text.matches("\x1b[1;31m").count() + text.matches("\x1b[3").count();
    assert_eq!(colours(&left.shown), left.shown.matches("\x1b[0m").count(), "{:?}", left.shown);
}

#[tokio::test]
async fn an_import_shows_rate_and_time_left_on_a_terminal_and_nothing_of_it_on_a_pipe() {
    if is_missing() {
        return;
    }
    let desk = Desk::with_incident("bar", "1").await;
    let mut file = Vec::new();
    write_people(&mut file, 6000, 4).unwrap();
    std::fs::write(desk.path("long.csv"), file).unwrap();
    let import = ["list", "import", "long.csv", "--incident", "cards"];
    let dry = [&import[..], &["--dry-run"]].concat();

    let left = Terminal::start(&signed(&desk, &dry)).ended().await;
    let done = Terminal::start(&signed(&desk, &import)).ended().await;
    let piped = desk.duly("ann", &import).fine();

    for Left { shown, code, modes: [before, after] } in [left, done] {
        assert_eq!((code, &before), (0, &after), "{shown}");
        assert!(shown.contains("rows, ") && shown.contains(" a second, ") && shown.contains("s left"), "{shown:?}");
        let page = shown.rsplit('\r').next().unwrap();
        assert!(page.contains("6,000 rows = ") && !page.contains("a second"), "the bar goes when it is over: {shown:?}");
    }
    assert!(piped.out.starts_with("6,000 rows = ") && piped.err.is_empty(), "{piped:?}");
}

#[tokio::test]
async fn a_plan_in_the_making_counts_its_people_of_all_on_a_terminal_and_not_on_a_pipe() {
    if is_missing() {
        return;
    }
    let desk = Desk::with_incident("prepare_bar", "1").await;
    let row = |i| format!("PN{i},Price,07400 1{i:05}\n");
    desk.write("long.csv", &("Pay number,Surname,Mobile\n".to_owned() + &(1..=600).map(row).collect::<String>()));
    desk.duly("ann", &["list", "import", "long.csv", "--incident", "cards"]).fine();
    desk.duly("ann", &["incident", "add", "two", "--controller", "northmere", "--texts", "texts.toml"]).fine();
    desk.duly("ann", &["list", "import", "long.csv", "--incident", "two"]).fine();

    let prepare = |incident| ["plan", "prepare", "--incident", incident, "--route", "sms"];
    let left = Terminal::start(&signed(&desk, &prepare("cards"))).ended().await;
    let piped = desk.duly("ann", &prepare("two")).fine();

    assert!(left.shown.contains("\r500 of 600 people rendered and checked"), "{left:?}");
    assert!(left.shown.contains("\r600 of 600 people rendered and checked"), "{left:?}");
    assert!(!piped.err.contains("rendered and checked"), "{piped:?}");
}

#[tokio::test]
async fn colours_are_seen_on_a_terminal_only_and_not_by_who_wants_none() {
    if is_missing() {
        return;
    }
    let desk = Desk::running("colours").await;
    let painted = async |name: &str, value: &str, args: &[&str]| {
        let left = Terminal::start(signed(&desk, args).env(name, value)).ended().await;
        (left.shown.contains("\x1b["), left)
    };

    let (page, error) = (["status"], ["incident", "show", "nothing"]);
    let (is_painted, left) = painted("LANG", "C.UTF-8", &page).await;
    assert!(is_painted && left.shown.contains("\x1b[1m0 of 4 people notified\x1b[0m"), "{left:?}");
    let (is_painted, left) = painted("LANG", "C.UTF-8", &error).await;
    assert!(is_painted && left.shown.contains("\x1b[1;31merror:\x1b[0m"), "{left:?}");
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        for args in [&page[..], &error] {
            let (is_painted, left) = painted(name, value, args).await;
            assert!(!is_painted, "{name} {left:?}");
        }
    }
    let (page, error) = (desk.duly("ann", &page), desk.duly("ann", &error));
    assert!(!page.out.contains('\x1b') && !error.err.contains('\x1b'), "{page:?} {error:?}");
}
