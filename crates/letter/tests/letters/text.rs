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
    "အောင်ဆန်း",
    "გიორგი ბერიძე",
    "Արամ Հակոբյան",
    // Marks that are raised from their letters.
    "محمّد لالا",
    "សុខា ចាន់",
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

/// A right-to-left name with anything else in it.
fn mixes_directions(text: &str) -> bool {
    let is_rtl = |c: char| pdf::is_right_to_left(c);
    text.chars().any(is_rtl) && text.chars().any(|c| !is_rtl(c))
}

/// Panics unless every reader reads what was given; the refusal's code where the letter is refused.
pub fn must_print_or_refuse(given: &Given, name: &str) -> Option<&'static str> {
    let typeset = match given.typeset() {
        Ok(typeset) => typeset,
        Err(error) => return Some(error.code()),
    };
    let wanted = pdf::squeeze(&printable(name).unwrap());
    let address: String = given.address.iter().map(|line| pdf::squeeze(&printable(line).unwrap())).collect();
    let in_window = read_in_window(given, &typeset.pdf);
    let all = pdf::text(&pdf::glyphs(&typeset.pdf));
    let said = pdf::squeeze(&typeset.printed.text);
    if mixes_directions(&wanted) || mixes_directions(&address) {
        // The order in which it shows is the layout's affair; no character is missing, doubled or changed.
        assert_eq!(pdf::sorted(&in_window), pdf::sorted(&address), "in the window");
        assert_eq!(pdf::sorted(&all), pdf::sorted(&said));
        return None;
    }
    assert_eq!(in_window, address, "in the window");
    assert!(all.contains(&format!("Dear{wanted},")), "{wanted} in the text of {all}");
    assert!(said.contains(&format!("Dear{wanted},")), "{wanted} in what was said to be printed");
    None
}

#[test]
fn a_name_of_any_of_our_scripts_prints_as_it_was_given() {
    let refused: Vec<_> = NAMES.iter().filter_map(|name| Some((name, must_print_or_refuse(&note_to(name), name)?))).collect();
    assert!(refused.is_empty(), "{refused:?}");
}

#[test]
fn markup_in_a_name_prints_as_it_is() {
    for name in [
        "#panic(\"x\") *b* _i_ <i> {{x}}",
        "a -- b ~ $x^2$ @ref `raw` // /*c*/ \\u{41}",
        "{{{name}}} <script>alert(1)</script> &amp; &#65;",
        "= Heading + - / 1. [x](y) https://a.b",
    ] {
        assert_eq!(must_print_or_refuse(&note_to(name), name), None, "{name}");
    }
}

#[test]
fn a_name_is_tidied_or_refused_with_its_code_points() {
    // What shows nothing goes; what composes is composed.
    assert_eq!(printable("E\u{301}\u{200b}va\u{ad} \u{200e}O\u{feff}Neil"), Ok("\u{c9}va ONeil".to_owned()));
    assert_eq!(printable("کریمی\u{200c}نژاد").unwrap().chars().filter(|c| *c == '\u{200c}').count(), 1, "it shapes Persian");
    assert_eq!(printable("An\u{200d}na"), Ok("Anna".to_owned()));
    for (value, code) in [
        ("\u{202e}evil", "U+202E"),
        ("a\u{0}b", "U+0000"),
        ("O\u{92}Brien", "U+0092"),
        ("\u{e000}", "U+E000"),
        ("\u{fffd}na", "U+FFFD"),
        ("\u{378}", "U+0378"),
        ("\u{301}Ann", "U+0301"),
        ("Z\u{303}\u{304}\u{305}\u{306}", "U+0305 U+0306"),
        ("A\u{94d}", "U+094D"),
        ("A\u{20dd}", "U+20DD"),
    ] {
        assert_eq!(printable(value).map_err(|refused| refused.0), Err(code.to_owned()), "{value:?}");
        assert_eq!(note_to(value).refusal(), "unprintable", "{value:?}");
    }
}

#[test]
fn a_character_that_no_font_has_is_refused_by_code_point_only() {
    let error = note_to("王小明").typeset().err().unwrap();
    assert_eq!(error.code(), "missing_glyph");
    assert!(error.to_string().contains("U+738B") && !error.to_string().contains('王'));
}

#[test]
fn a_right_to_left_name_leaves_what_stands_beside_it_in_place() {
    let body = format!("{}, 12 High Street.", duly_letter::escape("محمد علي"));
    let printed = Given { body, ..letter_to("محمد علي") }.typeset().unwrap().printed;
    assert!(pdf::squeeze(&printed.text).contains("محمدعلي,12HighStreet."), "{}", printed.text);
}

#[test]
fn an_address_stays_in_the_window_or_the_letter_is_refused() {
    let surname = "Wolfeschlegelsteinhausenbergerdorff";
    let long = format!("Hubert {surname} {surname}-Fetherstonhaugh");
    let to = |address: &[&str], sheet| Given { address: lines(address), sheet, ..note_to("A Person") };
    for sheet in [Sheet::A4, Sheet::UsLetter] {
        assert_eq!(must_print_or_refuse(&to(&[&long, "1 High Street", "SY23 2AX"], sheet), "A Person"), None);
        assert_eq!(to(&["l"; 12], sheet).refusal(), "address_overflow");
        assert_eq!(to(&[&"x".repeat(60), "1 High Street"], sheet).refusal(), "address_overflow");
        assert_eq!(to(&[" "], sheet).refusal(), "address_empty");
    }
    let seven = Given { address: seven_lines(), ..note_to("A Person") };
    assert_eq!(must_print_or_refuse(&seven, "A Person"), None);
    assert_eq!(Given { sheet: Sheet::UsLetter, ..seven }.refusal(), "address_overflow");
}
