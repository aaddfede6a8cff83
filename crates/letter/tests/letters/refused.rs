//! Each rule of the page has a letter that breaks it.

use crate::given::{Given, letter_to, lines};
use duly_letter::{Labels, Print, escape};

fn with_body(body: &str) -> Given {
    Given { body: body.to_owned(), ..letter_to("A Person") }
}

#[test]
fn what_a_template_places_in_the_window_is_refused() {
    assert_eq!(with_body("#place(top, dy: 30mm)[Northmere Police]").refusal(), "in_window");
    assert_eq!(with_body("#place(top, dy: 30mm, rect(width: 5mm))").refusal(), "in_window");
    let discreet = |body| Given { discreet: true, ..with_body(body) };
    assert_eq!(discreet("#place(top + right, dy: -18mm)[Police]").refusal(), "not_discreet");
    assert_eq!(discreet("Hello.").refusal(), "printed");
}

#[test]
fn what_no_printer_reaches_is_refused() {
    assert_eq!(with_body("#place(bottom, dy: 23mm)[x]").refusal(), "outside_printable");
    assert_eq!(with_body("#move(dx: 180mm)[x]").refusal(), "outside_printable");
}

#[test]
fn pictures_keep_to_the_margins_and_off_the_folds() {
    assert_eq!(with_body("#move(dx: 9mm, image(\"/logo\", width: 160mm, alt: \"x\"))").refusal(), "picture_outside_margins");
    assert_eq!(with_body("#place(top, dy: 123mm, image(\"/logo\", width: 20mm, alt: \"x\"))").refusal(), "on_fold");
    assert_eq!(with_body("#image(\"/etc/passwd\", alt: \"x\")").refusal(), "markup", "nothing of the machine is read");
}

#[test]
fn text_that_is_too_small_is_refused() {
    assert_eq!(with_body("#text(9.9pt)[x]").refusal(), "too_small");
    assert_eq!(Given { print: Print::Large, ..with_body("#text(15pt)[x]") }.refusal(), "too_small");
    for (_, given) in crate::given::kinds() {
        assert!(given.typeset().unwrap().printed.smallest_pt >= 10.0);
    }
}

#[test]
fn a_letter_of_too_many_pages_is_refused() {
    assert_eq!(with_body(&"x #pagebreak() ".repeat(10)).refusal(), "too_many_pages");
}

#[test]
fn a_page_without_its_number_is_refused() {
    let given = letter_to("A Person");
    let labels = Labels { page: "Page {page}", ..given.labels };
    assert_eq!(Given { labels, ..given }.refusal(), "page_number");
}

#[test]
fn a_letterhead_that_does_not_fit_is_refused() {
    let given = Given { lines: lines(&["A very long line of a letterhead"; 40]), ..letter_to("A Person") };
    assert_eq!(given.refusal(), "letterhead_overflow");
}

#[test]
fn a_check_page_that_could_be_personal_is_refused() {
    for url in ["http://x.uk", "https://x.uk/?c=1", "https://x.uk/#1", "https://me@x.uk", "https://"] {
        assert_eq!(
            Given { check_page: Some(url.to_owned()), ..letter_to("A Person") }.refusal(),
            "check_page_not_plain",
            "{url}"
        );
    }
}

#[test]
fn a_logo_is_read_or_refused() {
    let with_logo = |bytes: &[u8], alt: &str| Given { logo: Some((bytes.to_vec(), alt.to_owned())), ..letter_to("A Person") };
    assert_eq!(with_logo(b"no picture", "Badge").refusal(), "logo_unreadable");
    assert_eq!(with_logo(b"<svg", "Badge").refusal(), "logo_unreadable");
    assert_eq!(with_logo(crate::given::LOGO.as_bytes(), " ").refusal(), "alt_missing");
    assert_eq!(with_logo(PNG, "Badge").refusal(), "printed");
}

/// One grey pixel.
const PNG: &[u8] = &[
    137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13, 73, 72, 68, 82, 0, 0, 0, 1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 58, 126, 155, 85, 0, 0,
    0, 10, 73, 68, 65, 84, 120, 156, 99, 104, 0, 0, 0, 130, 0, 129, 119, 205, 114, 182, 0, 0, 0, 0, 73, 69, 78, 68, 174, 66, 96,
    130,
];

#[test]
fn a_language_is_a_language() {
    for language in ["", "english", "en_GB", "EN"] {
        assert_eq!(Given { language: language.to_owned(), ..letter_to("A Person") }.refusal(), "language");
    }
}

#[test]
fn a_mistake_in_the_markup_is_named_by_its_line_and_not_by_its_words() {
    for mistake in ["#unknown", "*never closed"] {
        let error = with_body(&format!("Dear {},\n\n{mistake}", escape("A Person"))).typeset().err().unwrap();
        assert_eq!(error.to_string(), "the letter's text cannot be typeset: line 3 of the text that was filled in");
    }
}
