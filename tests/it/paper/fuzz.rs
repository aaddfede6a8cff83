//! Names and addresses of everything that there is, through the templates' engine and the typesetter, read back by poppler:
//! what was given stands in the window and in the text, or the letter is refused with a reason.

use super::{COMPOSER, reader, readers};
use crate::support::skipped;
use duly::model::contact::PersonRecord;
use duly::model::state::{Channel, Content};
use duly::render::preview::Reader;
use duly::render::{Template, Want};
use duly_letter::printable;
use std::collections::BTreeMap;
use std::sync::Arc;
use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

/// xorshift64*: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        usize::try_from(self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % sides
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.roll(of.len())]
    }

    /// A character of all of Unicode, the scripts that people write in more often than the rest.
    fn any_char(&mut self) -> char {
        loop {
            let side = self.pick(&[0x250, 0x3000, 0x1_0000, 0x11_0000]);
            if let Some(c) = char::from_u32(u32::try_from(self.roll(side)).unwrap()) {
                return c;
            }
        }
    }

    fn words(&mut self, most: usize) -> String {
        (0..=self.roll(most)).map(|_| self.pick(PIECES)).collect()
    }
}

#[rustfmt::skip]
const PIECES: &[&str] = &[
    "Ann", "O'Brien", "Łukasz", "Ŵyn", "محمد", "דוד", "राजेश", "สมชาย", "გიორგი", "12", "a", "É", "e\u{301}", "ọ\u{300}", "x\u{336}",
    "#", "\\", "*", "_", "`", "$", "<", ">", "@", "[", "]", "{", "}", "~", "//", "/*", "*/", "--", "...", "\"", "'", "=", "+", "-", "1.",
    "https://x.y", "{{person.name}}", "{{{n}}}", "{{#if x}}", "{{/element}}", "{{> check-real.en}}", "&lt;", "&#39;", "<b>", "</p>",
    "#include \"/letter.typ\"", "#panic(1)", "\\u{41}", "\n", "\n---\n", "\t", "\u{200b}", "\u{200d}", "\u{202e}", "\u{2066}", "\u{ad}",
    "\u{feff}", "\u{a0}", "\u{2028}", "\u{e000}nature\u{e001}", "\u{e002}", "-?", "(", ")", ",", ".", ":", " ", " ", " ",
];

/// Surnames of 60 characters, as people bear them.
const LONG: &[&str] = &[
    "Wolfeschlegelsteinhausen-Bergerdorff-Fetherstonhaugh-Cholmond",
    "Vangelisto Papadimitrakopoulou Konstantinopoulou Theodoridou",
    "Папаконстантинопулос-Рождественский-Преображенский-Волконский",
    "Nguyễn Phước Bảo Quý Ðoàn Trần Lệ Hằng Vĩnh Thụy Công Tằng Tô",
    "عبدالرحمن الهاشمي القرشي الحسيني البغدادي الموصلي الكوفي الن",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochwyn",
];

/// Somebody of any name and any address.
fn anybody(dice: &mut Dice) -> (String, Vec<String>) {
    let plain = |line: &str| line.to_owned();
    let name = match dice.roll(4) {
        0 => dice.words(6),
        1 => format!("A{}nn {}", dice.any_char(), dice.any_char()),
        2 => format!("Ann {}", dice.any_char()),
        _ => plain(dice.pick(&["Ann Price", "Siân O'Brien-Ŵyn", "محمد علي"])),
    };
    let line = |dice: &mut Dice| match dice.roll(4) {
        0 => dice.words(4),
        1 => format!("{} High {}Street", dice.roll(99) + 1, dice.any_char()),
        _ => plain(dice.pick(&["14–16 Orchard Terrace", "Flat 12, Gatehouse Court", "Northmere", "NE3 7QD"])),
    };
    let lines = (0..=dice.roll(6)).map(|_| line(dice)).collect();
    (name, lines)
}

fn squeezed(text: &str) -> String {
    // Spaces, joiners and marks of direction are not seen.
    let is_seen =
        |c: &char| !c.is_whitespace() && !matches!(u32::from(*c), 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x2069 | 0xc);
    text.chars().filter(is_seen).collect()
}

fn sorted(text: &str) -> Vec<char> {
    let mut signs: Vec<char> = text.chars().collect();
    signs.sort_unstable();
    signs
}

/// Scripts that run from right to left, or whose signs stand before, around or above their letters: poppler reads what it sees.
fn is_reordered(c: char) -> bool {
    matches!(u32::from(c), 0x300..=0x36f | 0x590..=0x10ff | 0x1700..=0x1cff | 0xa800..=0xabff | 0xfb1d..=0xfdff | 0xfe70..=0xfeff
        | 0x1_0800..=0x1_efff)
}

/// Whether the same signs were read, in another order only where a script is seen in another one than it is read.
fn same(read: &str, given: &str) -> bool {
    // Ligatures are their letters.
    let signs = |text: &str| sorted(&text.nfkc().filter(|c| !is_combining_mark(*c)).collect::<String>());
    read == given || given.chars().any(is_reordered) && signs(read) == signs(given)
}

/// What poppler reads of a PDF, or of a part of its first page: left, top, width and height in mm.
fn read(pdf: &[u8], part: Option<[u32; 4]>) -> String {
    // A tenth of a millimetre is a pixel at 254 to the inch.
    let part = part.map(|part| part.map(|mm| (mm * 10).to_string()));
    // As it is laid out: else a hyphen at the end of a line is taken for no letter of the name.
    let mut args = vec!["-layout", "-enc", "UTF-8"];
    if let Some([x, y, width, height]) = &part {
        args.extend(["-r", "254", "-f", "1", "-l", "1", "-x", x, "-y", y, "-W", width, "-H", height]);
    }
    let output = readers::run("pdftotext", &args, pdf, &["-"]);
    assert!(output.status.success(), "{output:?}");
    squeezed(&String::from_utf8(output.stdout).unwrap())
}

/// The window of a UK envelope with the room around it in which nothing else may stand.
const WINDOW: [u32; 4] = [15, 30, 110, 65];

/// Prints somebody's letter and reads it, or says why it was refused.
fn print(template: &Arc<Template>, name: &str, lines: &[String]) -> Result<(), String> {
    let Reader { setting, person, reference_code } = reader(template);
    let person = PersonRecord { name: name.to_owned(), address: Some(lines.to_vec()), ..person };
    let made = COMPOSER.compose(&setting, &person, &reference_code, template).map_err(|error| error.code())?;
    let given = |text: &str| squeezed(&printable(text).unwrap());
    let (all, window) = (read(&made.bytes, None), read(&made.bytes, Some(WINDOW)));
    let address: String = person.address_block().iter().map(|line| given(line)).collect();
    assert!(same(&window, &address), "in the window of {name:?} {lines:?} stands {window:?}, and not {address:?}");
    let greeting = all.rsplit_once("Wearewritingbecause").and_then(|(before, _)| before.rsplit_once("Dear"));
    let greeted = greeting.map_or("nobody", |(_, greeted)| greeted);
    assert!(same(greeted, &format!("{},", given(name))), "{name:?} is greeted as {greeted:?}");
    Ok(())
}

fn template() -> Arc<Template> {
    let want = Want { profile: "uk-gdpr", channel: Channel::Letter, content: Content::Full, language: "en", format: "standard" };
    COMPOSER.templates().find("northmere", want).unwrap().clone()
}

fn is_missing() -> bool {
    let is_missing = std::process::Command::new("pdftotext").arg("-v").output().is_err();
    if is_missing {
        skipped("no letter of the fuzz was read by another program: pdftotext is not installed");
    }
    is_missing
}

/// Why letters of the fuzz may be refused.
const REASONS: &[&str] = &["unprintable", "missing_glyph", "address_empty", "address_overflow", "address_differs"];

#[test]
fn whoever_it_is_and_wherever_they_live_their_letter_reads_as_given_or_is_refused_with_a_reason() {
    if is_missing() {
        return;
    }
    let (mut dice, template) = (Dice(0xf0_5eed), template());
    let mut ends: BTreeMap<String, usize> = BTreeMap::new();
    for _ in 0..220 {
        let (name, lines) = anybody(&mut dice);
        let end = print(&template, &name, &lines).err().unwrap_or_else(|| "printed".to_owned());
        assert!(end == "printed" || REASONS.contains(&end.as_str()), "{name:?} {lines:?} was refused for {end}");
        *ends.entry(end).or_default() += 1;
    }
    assert!(ends["printed"] > 40, "{ends:?}");
    assert!(["unprintable", "missing_glyph"].iter().all(|reason| ends.contains_key(*reason)), "{ends:?}");
}

#[test]
fn the_longest_names_and_seven_lines_read_as_given_or_are_refused() {
    if is_missing() {
        return;
    }
    let lines = ["c/o The Warden", "Flat 12, Gatehouse Court", "14–16 Orchard Terrace", "Highgate", "Northmere", "NE3 7QD"];
    let template = template();
    let mut printed = 0;
    for name in LONG.iter().chain(&["Mx Oluwaseun Adeyemi"]) {
        for count in 2..=lines.len() {
            let lines: Vec<String> = lines[lines.len() - count..].iter().map(|line| (*line).to_owned()).collect();
            match print(&template, name, &lines) {
                Ok(()) => printed += 1,
                Err(reason) => assert_eq!(reason, "address_overflow", "{name} and {count} lines"),
            }
        }
        let short = print(&template, name, &lines[4..].iter().map(|line| (*line).to_owned()).collect::<Vec<_>>());
        assert!(short.is_ok() || !name.contains([' ', '-']), "{name}: {short:?}");
    }
    assert!(printed > 15, "{printed} were printed");
    print(&template, "Mx Oluwaseun Adeyemi", &lines.map(str::to_owned)).unwrap();
}
