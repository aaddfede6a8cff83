//! The same letter has the same bytes, and a document's values are never markup.

use crate::given::{Given, kinds, letter_to, note_to};
use crate::pdf;
use duly_letter::{Print, Typesetter, document, join};

#[test]
fn the_same_letter_has_the_same_bytes_and_another_person_other_ones() {
    let mut typesetter = Typesetter::new().unwrap();
    let mut pdf = |name: &str| typesetter.typeset(&letter_to(name).letter()).unwrap().pdf;
    let one = pdf("Siân O'Brien");
    assert_ne!(one, pdf("Rhys Price"));
    assert_eq!(one, pdf("Siân O'Brien"), "after another letter");
    assert_eq!(one, letter_to("Siân O'Brien").typeset().unwrap().pdf, "by another typesetter");
}

#[test]
fn what_is_said_to_be_printed_is_what_other_programs_read() {
    for (name, given) in kinds() {
        let typeset = given.typeset().unwrap();
        let printed = pdf::squeeze(&typeset.printed.text);
        assert_eq!(printed, pdf::text(&pdf::glyphs(&typeset.pdf)), "{name}");
        if let Some(text) = pdf::poppler(&typeset.pdf)
            && name != "a4-arabic-name"
        {
            assert_eq!(
                pdf::sorted(&printed),
                pdf::sorted(&text),
                "{name}: poppler reads columns in another order, and nothing else"
            );
        }
    }
}

#[test]
fn easy_read_is_set_in_fourteen_points_with_lines_wide_apart() {
    // What stands beside the code on the first page is set closer.
    let least = |print, page| {
        let glyphs = pdf::glyphs(&Given { print, ..letter_to("Siân O'Brien") }.typeset().unwrap().pdf);
        let lines: Vec<f64> = glyphs
            .iter()
            .filter(|g| g.mcid.is_some() && g.page == page && g.y > 25.0 + 90.0 * f64::from(u8::from(page == 0)))
            .map(|g| g.y)
            .collect();
        let gaps = lines.windows(2).map(|pair| pair[1] - pair[0]).filter(|gap| *gap > 0.5);
        gaps.fold(f64::INFINITY, f64::min) / (25.4 / 72.0)
    };
    let apart = least(Print::Easy, 1);
    assert!((20.9..21.3).contains(&apart), "{apart} pt from line to line");
    assert!(least(Print::Standard, 0) < 16.0);
}

#[test]
fn a_letter_stands_on_one_page_where_its_text_allows_and_lines_come_closer_for_it() {
    let pages = |given: &Given| {
        let typeset = given.typeset().unwrap();
        (typeset.pages, typeset.printed.smallest_pt)
    };
    // 350 words, logo, QR code.
    let (one, least) = pages(&letter_to("Siân O'Brien"));
    assert!(one == 1 && (10.0..10.1).contains(&least), "{one} pages, {least} pt");
    let note = note_to("Siân O'Brien").typeset().unwrap();
    assert!(note.pages == 1 && note.printed.text.contains("Page 1 of 1"));
    let long = letter_to("Siân O'Brien");
    let long = Given { body: format!("{}\n\n{}", long.body, long.body), ..long };
    assert_eq!(pages(&long), (2, 10.0), "what fits no page is set as airy as ever; the smallest is the foot");
    assert!(long.typeset().unwrap().printed.text.contains("Page 2 of 2"));
}

#[test]
fn a_letter_is_laid_out_once_as_its_room_is_reckoned_before() {
    for (name, given) in kinds() {
        let mut typesetter = Typesetter::new().unwrap();
        typesetter.typeset(&given.letter()).unwrap();
        assert_eq!(typesetter.layouts(), 1, "{name}");
    }
    // Over texts of every length few stand so near the end of a page that it must be tried.
    let mut typesetter = Typesetter::new().unwrap();
    let mut given = note_to("Siân O'Brien");
    for _ in 0..60 {
        given.body += " We looked at every file that was on it, and yours was one of them; we are sorry.\n\n";
        typesetter.typeset(&given.letter()).unwrap();
    }
    assert!(typesetter.layouts() <= 63, "{} layouts of 60 letters", typesetter.layouts());
}

#[test]
fn a_letter_reads_nothing_of_the_letter_before() {
    let mut typesetter = Typesetter::new().unwrap();
    let long = letter_to("Siân O'Brien");
    typesetter.typeset(&long.letter()).unwrap();
    for path in ["/0-1.typ", "/1-0.typ", "/2-0.typ"] {
        let curious = Given { body: format!("#include \"{path}\""), ..note_to("Rhys Price") };
        assert_eq!(typesetter.typeset(&curious.letter()).err().map(|error| error.code()), Some("markup"), "{path}");
    }
}

#[test]
fn what_has_no_room_beside_the_window_stands_below_the_fold() {
    let many = |count: usize| Given {
        lines: crate::given::lines(&["A line of the letterhead"; 14])[..count].to_vec(),
        ..note_to("A Person")
    };
    for count in [1, 5, 9, 14] {
        let typeset = many(count).typeset().unwrap();
        let glyphs = pdf::glyphs(&typeset.pdf);
        let top = glyphs.iter().filter(|glyph| glyph.page == 0 && glyph.y < 95.0);
        let is_beside = pdf::text(top).contains("7K4T-9QXM-3W");
        assert_eq!(is_beside, count < 9, "{count} lines");
    }
}

#[test]
fn a_picture_of_a_letter_is_small_and_shows_its_pages_side_by_side() {
    let one = duly_letter::picture(&note_to("A Person").typeset().unwrap().pdf, 100.0).unwrap();
    let three = Given { print: Print::Large, ..letter_to("A Person") }.typeset().unwrap();
    let side_by_side = duly_letter::picture(&three.pdf, 100.0).unwrap();
    let size = |png: &[u8]| [16, 20].map(|at| u32::from_be_bytes(png[at..at + 4].try_into().unwrap()));
    assert_eq!(size(&one), [826, 1169]);
    assert_eq!(size(&side_by_side), [826 * 3 + 24, 1169]);
    assert!(one.len() < 40_000 && one == duly_letter::picture(&note_to("A Person").typeset().unwrap().pdf, 100.0).unwrap());
    assert_eq!(duly_letter::picture(b"no PDF", 100.0).err().map(|e| e.code()), Some("picture"));
}

#[test]
fn a_value_of_a_document_is_never_markup() {
    const PAGE: &str = "#let p = json(\"/data.json\")\n#set document(title: \"T\", date: datetime(year: 2026, month: 11, day: 23))\n\
        #set text(font: \"Noto Sans\", lang: \"en\", fallback: false)\n#heading(level: 1, \"T\")\n#p.value";
    let value = "#panic(1) *b* $x$ <i> @ref // \\u{41}";
    let page = document(PAGE, &serde_json::json!({"value": value}), "x").unwrap();
    assert!(pdf::text(&pdf::glyphs(&page)).contains(&pdf::squeeze(value)));
    assert_eq!(document(PAGE, &serde_json::json!({"value": "王"}), "x").err().map(|e| e.code()), Some("missing_glyph"));
    assert_eq!(document("#include \"/etc/passwd\"", &serde_json::json!({}), "x").err().map(|e| e.code()), Some("typst"));
}

#[test]
fn joined_letters_print_as_they_do_alone_and_each_begins_on_a_front_page() {
    let mut given: Vec<Given> = ["Siân O'Brien", "محمد علي", "Rhys Price"].iter().map(|name| letter_to(name)).collect();
    given[1].print = Print::Large;
    let alone: Vec<Vec<u8>> = given.iter().map(|given| given.typeset().unwrap().pdf).collect();
    let letters: Vec<&[u8]> = alone.iter().map(Vec::as_slice).collect();

    let joined = join(&letters).unwrap();
    assert_eq!(joined.pdf, join(&letters).unwrap().pdf, "the same bytes");
    assert_eq!(joined.pages, [(1, 1), (3, 5), (7, 7)], "after an odd page an empty one");
    let glyphs = pdf::glyphs(&joined.pdf);
    for (alone, (first, last)) in alone.iter().zip(&joined.pages) {
        let own: Vec<_> = glyphs.iter().filter(|g| (*first..=*last).contains(&(g.page + 1))).collect();
        assert_eq!(pdf::text(own.iter().copied()), pdf::text(&pdf::glyphs(alone)));
    }
    assert!(!glyphs.iter().any(|glyph| [1, 5].contains(&glyph.page)));
    // What another program draws is the same picture.
    let one = join(&letters[..1]).unwrap();
    assert!(duly_letter::picture(&one.pdf, 40.0).is_ok());
    for broken in [&b""[..], b"%PDF-1.7 no"] {
        assert!(join(&[broken]).is_err());
    }
}
