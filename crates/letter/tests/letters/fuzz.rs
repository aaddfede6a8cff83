//! Names and addresses of everything that there is, from seeds that do not change.

use crate::given::{Given, note_to};
use crate::text::must_print_or_refuse;
use duly_letter::printable;

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

    fn any_char(&mut self) -> char {
        let planes = [0x250, 0x3000, 0x1_0000, 0x11_0000];
        loop {
            let side = self.pick(&planes);
            if let Some(c) = char::from_u32(u32::try_from(self.roll(side)).unwrap()) {
                return c;
            }
        }
    }
}

const PIECES: &[&str] = &[
    "Ann",
    "O'Brien",
    "Łukasz",
    "محمد",
    "דוד",
    "राजेश",
    "สมชาย",
    "გიორგი",
    "12",
    "a",
    "É",
    "e\u{301}",
    "ọ\u{300}",
    "#",
    "\\",
    "*",
    "_",
    "`",
    "$",
    "<",
    ">",
    "@",
    "[",
    "]",
    "{",
    "}",
    "~",
    "//",
    "/*",
    "*/",
    "--",
    "...",
    "\"",
    "'",
    "=",
    "+",
    "-",
    "1.",
    "https://x.y",
    "{{name}}",
    "{{{n}}}",
    "&lt;",
    "<b>",
    "</p>",
    "#include",
    "#panic(1)",
    "\\u{41}",
    "\n",
    "\t",
    "\u{200b}",
    "\u{200d}",
    "\u{202e}",
    "\u{2066}",
    "\u{ad}",
    "\u{feff}",
    "\u{a0}",
    "\u{2028}",
    "-?",
    "(",
    ")",
    ",",
    ".",
    ":",
    " ",
    " ",
];

/// Prints as given, or is refused for what it is; how many were printed.
fn run(mut names: impl FnMut(&mut Dice) -> String, seed: u64, count: usize) -> usize {
    let mut dice = Dice(seed);
    let mut printed = 0;
    for _ in 0..count {
        let name = names(&mut dice);
        let given = note_to(&name);
        match must_print_or_refuse(&given, &name) {
            None => printed += 1,
            Some("unprintable") => assert!(printable(&name).is_err(), "{name:?}"),
            Some("address_empty" | "address_overflow" | "address_differs" | "missing_glyph") => {}
            Some(other) => panic!("{name:?} was refused for {other}"),
        }
    }
    printed
}

#[test]
fn pieces_of_markup_and_of_scripts_print_as_given_or_are_refused() {
    let name = |dice: &mut Dice| (0..=dice.roll(8)).map(|_| dice.pick(PIECES)).collect::<String>();
    let printed = run(name, 0x5eed, 250);
    assert!(printed > 100, "{printed} of 250 were printed");
}

#[test]
fn characters_of_all_of_unicode_print_as_given_or_are_refused() {
    let name = |dice: &mut Dice| {
        let c = dice.any_char();
        if dice.roll(2) == 0 { format!("Ann {c}") } else { format!("A{c}nn {}", dice.any_char()) }
    };
    let printed = run(name, 0xca5e, 250);
    assert!(printed > 20, "{printed} of 250 were printed");
}

/// Surnames of 60 characters, as people bear them: with a hyphen, in several words, in other scripts, with marks.
const LONG: &[&str] = &[
    "Wolfeschlegelsteinhausen-Bergerdorff-Fetherstonhaugh-Cholmond",
    "Vangelisto Papadimitrakopoulou Konstantinopoulou Theodoridou",
    "Папаконстантинопулос-Рождественский-Преображенский-Волконский",
    "عبدالرحمن الهاشمي القرشي الحسيني البغدادي الموصلي الكوفي الن",
    "Nguyễn Phước Bảo Quý Ðoàn Trần Lệ Hằng Vĩnh Thụy Công Tằng Tô",
    "Ọládiípọ̀ Adébọ̀wálé Akínwándé Olúwaṣeun Babátúndé Ọlọ́runtóbi A",
    "श्रीनिवासराघवन वेंकटसुब्रमण्यम कृष्णमूर्ति रामचन्द्रन पद्मनाभ",
    "Llanfairpwllgwyngyllgogerychwyrndrobwllllantysiliogogogochwyn",
];

#[test]
fn the_longest_names_stand_in_the_window_beside_seven_lines_of_address_or_are_refused() {
    let mut printed = Vec::new();
    for surname in LONG {
        for rest in 1..=6 {
            let mut address = crate::given::seven_lines();
            address.truncate(rest);
            address.insert(0, (*surname).to_owned());
            for sheet in [duly_letter::Sheet::A4, duly_letter::Sheet::UsLetter] {
                let given = Given { address: address.clone(), sheet, ..note_to(surname) };
                match must_print_or_refuse(&given, surname) {
                    None => printed.push((*surname, rest)),
                    Some(code) => assert_eq!(code, "address_overflow", "{surname} and {rest} lines"),
                }
            }
        }
    }
    // In four lines of an ordinary address each is printed but the word that no line holds.
    for surname in LONG.iter().filter(|surname| surname.contains([' ', '-'])) {
        assert!(printed.contains(&(*surname, 3)), "{surname}");
    }
}

#[test]
fn addresses_of_any_shape_stay_in_the_window_or_are_refused() {
    let mut dice = Dice(0xadd7);
    let mut printed = 0;
    for _ in 0..60 {
        let line = |dice: &mut Dice| (0..=dice.roll(5)).map(|_| dice.pick(PIECES)).collect::<Vec<_>>().join(" ");
        let address = (0..=dice.roll(8)).map(|_| line(&mut dice)).collect();
        let given = Given { address, ..note_to("A Person") };
        printed += usize::from(
            given.address.iter().all(|line| printable(line).is_ok()) && must_print_or_refuse(&given, "A Person").is_none(),
        );
    }
    assert!(printed > 5, "{printed} of 60 were printed");
}
