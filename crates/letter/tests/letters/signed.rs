//! A picture of a signature stands above the name of who signs, and nowhere else.

use crate::given::{Given, SIGNED, kinds, letter_to, note_to, signed};
use crate::pdf::{glyphs, squeeze, text};
use duly_letter::{Print, SIGNATURE, Typesetter, escape};

fn note(lines: usize) -> Given {
    let filler = "This is a line of its own.\n\n".repeat(lines);
    let body = format!("Dear A Person,\n\n{filler}Yours sincerely,\n\nRuth Amis");
    signed(Given { body, ..note_to("A Person") })
}

/// What a PDF's pictures say to who cannot see them.
fn alternatives(pdf: &[u8]) -> Vec<String> {
    let document = lopdf::Document::load_mem(pdf).unwrap();
    let figures = document.objects.values().filter_map(|object| object.as_dict().ok()).filter_map(|d| d.get(b"Alt").ok());
    let mut texts: Vec<_> = figures.map(|alt| String::from_utf8_lossy(alt.as_str().unwrap()).into_owned()).collect();
    texts.sort();
    texts
}

#[test]
fn a_signature_is_told_to_who_cannot_see_it_and_prints_no_letter() {
    for (name, given) in kinds().into_iter().filter(|(name, _)| name.contains("signed")) {
        let bare = Given { signature: None, body: given.body.replace(SIGNATURE, ""), ..given.clone() }.typeset().unwrap();
        let typeset = given.typeset().unwrap();
        let said = alternatives(&typeset.pdf);
        assert!(said.iter().any(|alt| alt.contains("Signature of Ruth Amis")), "{name}: {said:?}");
        assert_eq!(said.len(), alternatives(&bare.pdf).len() + 1, "{name}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>().join(" ");
        if typeset.pages == bare.pages {
            assert_eq!(words(&typeset.printed.text), words(&bare.printed.text), "{name}");
        }
    }
}

#[test]
fn its_room_is_reckoned_before_the_layout() {
    let mut typesetter = Typesetter::new().unwrap();
    for lines in [0, 4, 8] {
        let before = typesetter.layouts();
        assert_eq!(typesetter.typeset(&note(lines).letter()).unwrap().pages, 1);
        assert_eq!(typesetter.layouts() - before, 1, "{lines} lines: the guess holds");
    }
}

/// A page has folds wherever its text ends: a letter is not refused because its writer signs on one.
#[test]
fn it_bears_a_fold_and_a_page_that_ends() {
    let mut typesetter = Typesetter::new().unwrap();
    let pages: Vec<u32> = (0..44).map(|lines| typesetter.typeset(&note(lines).letter()).unwrap().pages).collect();
    assert!(pages.contains(&1) && pages.contains(&2) && pages.is_sorted(), "{pages:?}");
}

/// A last page with nothing but a name on it is no letter that a chief constable signs.
#[test]
fn who_signs_stands_on_the_page_of_the_closing() {
    let mut typesetter = Typesetter::new().unwrap();
    for lines in 0..32 {
        let note = note(lines);
        let body = note.body.replace("Ruth Amis", "Ruth Amis\n\nNorthmere Police");
        let signed = Given { body, print: Print::Large, ..note };
        let unsigned = Given { signature: None, ..signed.clone() };
        for given in [signed, unsigned] {
            let glyphs = glyphs(&typesetter.typeset(&given.letter()).unwrap().pdf);
            let last = glyphs.iter().map(|glyph| glyph.page).max().unwrap();
            let page = squeeze(&text(glyphs.iter().filter(|glyph| glyph.page == last)));
            assert!(page.contains("Yourssincerely,RuthAmisNorthmerePolice"), "{lines} lines: {page}");
        }
    }
}

#[test]
fn nothing_but_the_senders_own_picture_stands_there() {
    let unsigned = Given { signature: None, ..note(0) };
    assert_eq!(alternatives(&unsigned.typeset().unwrap().pdf).len(), alternatives(&note(0).typeset().unwrap().pdf).len() - 1);
    assert_eq!(escape(&format!("A {SIGNATURE}B")), "A B", "no value places it");
    let with = |bytes: &[u8], alt: &str| Given { signature: Some((bytes.to_vec(), alt.to_owned())), ..letter_to("A Person") };
    assert_eq!(with(SIGNED.as_bytes(), " ").refusal(), "alt_missing");
    assert_eq!(Given { signature: Some((b"<svg".to_vec(), "x".to_owned())), ..note(0) }.refusal(), "logo_unreadable");
}
