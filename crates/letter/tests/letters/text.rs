//! What is given is what is printed, in the window and nowhere else beside it, or the letter is refused.

use crate::given::{Given, letter_to, lines, note_to, seven_lines};
use crate::pdf;
use duly_letter::{Sheet, printable};

/// Names of people in the United Kingdom and the United States, each in its script.
const NAMES: &[&str] = &[
    "Siân O’Brien-Łukasiewicz",
    "Nguyễn Thị Ánh",
    "Adébọ̀wálé Ọládiípọ̀",
    "Ελένη Παπαδοπούλου",
    "Олександр Кравченко",
    "محمد عبد الرحمن الهاشمي",
    "محمّد لالا",
    "دانش کریمی‌نژاد",
    "יעקב בן־דוד",
    "राजेश कुमार शर्मा",
    "ক্ষিতীশ চট্টোপাধ্যায়",
    "ਹਰਪ੍ਰੀਤ ਸਿੰਘ",
    "હર્ષિલ પટેલ",
    "முத்துவேல் கருணாநிதி",
    "శ్రీనివాస్ రెడ్డి",
    "ಶ್ರೀಕೃಷ್ಣ ರಾವ್",
    "ശ്രീകുമാർ നായർ",
    "සුනිල් පෙරේරා",
    "สมชาย ใจดี",
    "ສົມພອນ ວົງສາ",
    "សុខា ចាន់",
    "အောင်ဆန်း",
    "გიორგი ბერიძე",
    "Արամ Հակոբյան",
    "አበበ ቢቂላ",
    "ᏣᎳᎩ ᎠᏰᎵ",
];

/// What other programs read in the window, and that nothing else stands there.
fn read_in_window(given: &Given, pdf: &[u8]) -> String {
    let (left, right, bottom) = match given.sheet {
        Sheet::A4 => (24.0, 103.0, 66.5),
        Sheet::UsLetter => (25.0, 95.0, 86.0),
    };
    let glyphs = pdf::glyphs(pdf);
    let (in_window, beside): (Vec<_>, Vec<_>) = glyphs
        .iter()
        .filter(|glyph| glyph.page == 0 && glyph.x < 124.0 && glyph.y > 35.0 && glyph.y < 95.0)
        .partition(|glyph| glyph.x > left && glyph.x + glyph.width < right && glyph.y < bottom);
    assert!(beside.is_empty(), "{beside:?}");
    pdf::text(in_window)
}

/// Panics unless every reader reads what was given; the refusal's code where the letter is refused.
pub fn must_print_or_refuse(given: &Given, name: &str) -> Option<&'static str> {
    let typeset = match given.typeset() {
        Ok(typeset) => typeset,
        Err(error) => return Some(error.code()),
    };
    let wanted = pdf::squeeze(&printable(name).unwrap());
    let address: String = given.address.iter().map(|line| pdf::squeeze(&printable(line).unwrap())).collect();
    assert_eq!(read_in_window(given, &typeset.pdf), address, "in the window");
    let all = pdf::text(&pdf::glyphs(&typeset.pdf));
    assert!(all.contains(&format!("Dear{wanted},")), "{wanted} in the text of {all}");
    assert!(pdf::squeeze(&typeset.printed.text).contains(&format!("Dear{wanted},")), "{wanted} in what was said to be printed");
    None
}

#[test]
fn a_name_of_any_of_our_scripts_prints_as_it_was_given() {
    let refused: Vec<_> = NAMES.iter().filter_map(|name| Some((name, must_print_or_refuse(&note_to(name), name)?))).collect();
    assert!(refused.is_empty(), "{refused:?}");
}
