//! Promises of a letter, checked on the PDF itself.
#![expect(clippy::unwrap_used, reason = "tests")]

use duly_letter::{Letter, LetterDate, LetterError, Typesetter, document, escape};
use std::io::Write;
use std::process::Command;

fn lines(text: &[&str]) -> Vec<String> {
    text.iter().map(|l| (*l).to_owned()).collect()
}

fn typeset(name: &str, address: &[&str]) -> Result<Vec<u8>, LetterError> {
    let body = format!("Dear {},\n\nWe are writing to tell you what happened.", escape(name));
    let letter = Letter {
        address: &lines(address),
        sender: &lines(&["Northmere Police", "1 Station Road", "Northmere NE1 4XF"]),
        reference_code: "ABCD-EFGH",
        date: LetterDate { year: 2026, month: 11, day: 23 },
        date_text: "23 November 2026",
        language: "en",
        title: "Your personal data",
        body: &body,
        ident: "ABCD-EFGH",
    };
    Ok(Typesetter::new().unwrap().typeset(&letter)?.pdf)
}

fn text_of(pdf: &[u8]) -> Option<String> {
    let mut file = tempfile().unwrap();
    file.1.write_all(pdf).unwrap();
    let output = Command::new("pdftotext").args(["-layout", &file.0, "-"]).output();
    match output {
        Ok(output) => Some(String::from_utf8_lossy(&output.stdout).into_owned()),
        Err(_) => {
            eprintln!("SKIPPED: pdftotext is not installed, the PDF's text was not read");
            None
        }
    }
}

fn tempfile() -> std::io::Result<(String, std::fs::File)> {
    let path = std::env::temp_dir().join(format!("duly-letter-{}-{:?}.pdf", std::process::id(), std::thread::current().id()));
    Ok((path.to_string_lossy().into_owned(), std::fs::File::create(path)?))
}

#[test]
fn the_same_letter_has_the_same_bytes_and_another_person_other_ones() {
    let one = typeset("Siân O'Brien", &["Siân O'Brien", "1 High Street", "SY23 2AX"]).unwrap();
    assert_eq!(one, typeset("Siân O'Brien", &["Siân O'Brien", "1 High Street", "SY23 2AX"]).unwrap());
    assert_ne!(one, typeset("Rhys Price", &["Rhys Price", "1 High Street", "SY23 2AX"]).unwrap());
    assert!(one.starts_with(b"%PDF"));
}

#[test]
fn a_name_of_markup_prints_as_it_is() {
    for name in
        ["#panic(\"x\") *b* <i> {{x}}", "a -- b ~ $x^2$ @ref `raw` // /*c*/ \\u{41}", "Łukasz Żółkiewski", "Ελένη Παπαδοπούλου"]
    {
        let pdf = typeset(name, &["A Person", "1 High Street", "SY23 2AX"]).unwrap();
        if let Some(text) = text_of(&pdf) {
            let squeeze = |t: &str| t.split_whitespace().collect::<String>();
            assert!(squeeze(&text).contains(&squeeze(name)), "{name} in {text}");
        }
    }
}

#[test]
fn a_character_that_no_font_has_is_refused_by_code_point_only() {
    let error = typeset("王小明", &["A Person", "1 High Street"]).err().unwrap();
    assert_eq!(error.code(), "missing_glyph");
    assert!(error.to_string().contains("U+738B") && !error.to_string().contains('王'));
}

#[test]
fn an_address_that_does_not_fit_the_window_is_refused() {
    assert_eq!(typeset("X", &["l"; 12]).err().unwrap().code(), "address_overflow");
    let long = "A very long line of an address that goes on and on past the window's right edge";
    assert_eq!(typeset("X", &[long, "1 High Street"]).err().unwrap().code(), "address_overflow");
    assert_eq!(typeset("X", &[" "]).err().unwrap().code(), "address_empty");
}

#[test]
fn a_value_of_a_document_is_never_markup() {
    const PAGE: &str = "#let p = json(\"/data.json\")\n#set document(title: \"T\", date: datetime(year: 2026, month: 11, day: 23))\n\
        #set text(font: \"Noto Sans\", lang: \"en\", fallback: false)\n#heading(level: 1, \"T\")\n#p.value";
    let value = "#panic(1) *b* $x$ <i> @ref // \\u{41}";
    let pdf = document(PAGE, &serde_json::json!({"value": value}), "x").unwrap();
    if let Some(text) = text_of(&pdf) {
        let squeeze = |t: &str| t.split_whitespace().collect::<String>();
        assert!(squeeze(&text).contains(&squeeze(value)), "{text}");
    }
    assert_eq!(document(PAGE, &serde_json::json!({"value": "王"}), "x").err().map(|e| e.code()), Some("missing_glyph"));
    assert_eq!(document("#include \"/etc/passwd\"", &serde_json::json!({}), "x").err().map(|e| e.code()), Some("typst"));
}
