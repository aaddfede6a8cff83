//! What a PDF says of itself, read from the file: each fact has a known-bad file in which it is missed.

use crate::given::{Given, kinds, letter_to};
use crate::pdf::{self, Glyph};
use lopdf::{Dictionary, Document, Object, ObjectId};

/// The facts that do not hold.
fn broken(bytes: &[u8]) -> Vec<&'static str> {
    let document = Document::load_mem(bytes).unwrap();
    let catalog = document.catalog().unwrap();
    let glyphs = pdf::glyphs(bytes);
    let xmp = xmp(&document, catalog);
    let facts = [
        ("lang", catalog.get(b"Lang").and_then(Object::as_str).is_ok_and(|lang| !lang.is_empty())),
        ("title", shows_title(&document, catalog) && is_said(&xmp, "dc:title")),
        ("tags", is_tagged(&document, catalog)),
        ("order", is_in_order(&document, &glyphs)),
        ("alt", figures(&document).all(|figure| figure.get(b"Alt").and_then(Object::as_str).is_ok_and(|alt| !alt.is_empty()))),
        ("fonts", fonts_are_embedded(&document)),
        ("pdfa", ["<pdfaid:part>2<", "<pdfaid:conformance>A<", "<pdfuaid:part>1<"].iter().all(|fact| xmp.contains(fact))),
    ];
    facts.into_iter().filter_map(|(fact, holds)| (!holds).then_some(fact)).collect()
}

fn dictionary<'a>(document: &'a Document, of: &'a Dictionary, key: &[u8]) -> Option<&'a Dictionary> {
    of.get(key).and_then(|value| document.dereference(value)).ok()?.1.as_dict().ok()
}

fn xmp(document: &Document, catalog: &Dictionary) -> String {
    let Ok((_, metadata)) = catalog.get(b"Metadata").and_then(|metadata| document.dereference(metadata)) else {
        return String::new();
    };
    let stream = metadata.as_stream().unwrap();
    String::from_utf8_lossy(&stream.decompressed_content().unwrap_or_else(|_| stream.content.clone())).into_owned()
}

/// Whether a property has words: beside its marks of language and order.
fn is_said(xmp: &str, property: &str) -> bool {
    let within = xmp.split_once(&format!("<{property}>")).and_then(|(_, rest)| rest.split_once(&format!("</{property}>")));
    let words =
        within.into_iter().flat_map(|(within, _)| within.split('<').map(|tag| tag.rsplit('>').next().unwrap_or_default()));
    words.filter(|words| !words.trim().is_empty()).count() > 0
}

fn shows_title(document: &Document, catalog: &Dictionary) -> bool {
    dictionary(document, catalog, b"ViewerPreferences")
        .and_then(|preferences| preferences.get(b"DisplayDocTitle").and_then(Object::as_bool).ok())
        .unwrap_or_default()
}

fn is_tagged(document: &Document, catalog: &Dictionary) -> bool {
    let is_marked =
        dictionary(document, catalog, b"MarkInfo").and_then(|mark| mark.get(b"Marked").and_then(Object::as_bool).ok());
    is_marked == Some(true) && !pieces(document).is_empty()
}

/// Pieces of marked content in the order of the tag tree: page and number.
fn pieces(document: &Document) -> Vec<(ObjectId, i64)> {
    let mut pieces = Vec::new();
    if let Some(root) = dictionary(document, document.catalog().unwrap(), b"StructTreeRoot")
        && let Ok(kids) = root.get(b"K")
    {
        collect(document, kids, None, &mut pieces);
    }
    pieces
}

fn collect(document: &Document, kid: &Object, page: Option<ObjectId>, pieces: &mut Vec<(ObjectId, i64)>) {
    match document.dereference(kid).unwrap().1 {
        Object::Array(kids) => kids.iter().for_each(|kid| collect(document, kid, page, pieces)),
        Object::Integer(mcid) => pieces.push((page.unwrap(), *mcid)),
        Object::Dictionary(element) => {
            let page = element.get(b"Pg").and_then(Object::as_reference).ok().or(page);
            if let Ok(mcid) = element.get(b"MCID").and_then(Object::as_i64) {
                pieces.push((page.unwrap(), mcid));
            } else if let Ok(kids) = element.get(b"K") {
                collect(document, kids, page, pieces);
            }
        }
        _ => {}
    }
}

/// Whether the tags tell the text in the order in which it stands; a page's foot is no part of it.
fn is_in_order(document: &Document, glyphs: &[Glyph]) -> bool {
    let pages: Vec<ObjectId> = document.get_pages().into_values().collect();
    let tagged: String = pieces(document)
        .into_iter()
        .flat_map(|(page, mcid)| {
            glyphs.iter().filter(move |glyph| glyph.mcid == Some(mcid)).filter({
                let pages = pages.clone();
                move |glyph| pages[glyph.page] == page
            })
        })
        .map(|glyph| glyph.text.as_str())
        .collect();
    let drawn: String = glyphs.iter().filter(|glyph| glyph.mcid.is_some()).map(|glyph| glyph.text.as_str()).collect();
    !drawn.is_empty() && tagged == drawn
}

fn elements<'a>(document: &'a Document, role: &'static str) -> impl Iterator<Item = &'a Dictionary> {
    let elements = document.objects.values().filter_map(|object| object.as_dict().ok());
    elements.filter(move |element| element.get(b"S").and_then(Object::as_name).is_ok_and(|name| name == role.as_bytes()))
}

fn figures(document: &Document) -> impl Iterator<Item = &Dictionary> {
    elements(document, "Figure")
}

fn descriptors(document: &Document) -> impl Iterator<Item = &Dictionary> {
    document.objects.values().filter_map(|object| object.as_dict().ok()).filter(|object| object.has_type(b"FontDescriptor"))
}

/// Each font lies in the file, with the glyphs that are used.
fn fonts_are_embedded(document: &Document) -> bool {
    let is_subset = |font: &Dictionary| {
        let name = font.get(b"FontName").and_then(Object::as_name).unwrap_or_default();
        name.get(6) == Some(&b'+') && name[..6].iter().all(u8::is_ascii_uppercase)
    };
    let is_embedded = |font: &Dictionary| font.has(b"FontFile2") || font.has(b"FontFile3");
    descriptors(document).count() > 0 && descriptors(document).all(|font| is_subset(font) && is_embedded(font))
}

#[test]
fn every_kind_of_letter_holds_every_fact() {
    for (name, given) in kinds() {
        let pdf = given.typeset().unwrap().pdf;
        assert_eq!(broken(&pdf), [""; 0], "{name}");
    }
}

fn damaged(damage: impl Fn(&mut Document)) -> Vec<&'static str> {
    let mut document = Document::load_mem(&letter_to("A Person").typeset().unwrap().pdf).unwrap();
    damage(&mut document);
    let mut bytes = Vec::new();
    document.save_to(&mut bytes).unwrap();
    broken(&bytes)
}

fn each(document: &mut Document, change: impl Fn(&mut Dictionary)) {
    document.objects.values_mut().filter_map(|object| object.as_dict_mut().ok()).for_each(change);
}

#[test]
fn a_pdf_that_lost_a_fact_is_found_out() {
    assert_eq!(damaged(|_| {}), [""; 0], "the damage is what is found");
    let lost = |key: &'static [u8]| {
        damaged(move |document| {
            each(document, |object| {
                object.remove(key);
            });
        })
    };

    assert_eq!(damaged(|document| drop(document.catalog_mut().unwrap().remove(b"Lang"))), ["lang"]);
    assert_eq!(lost(b"DisplayDocTitle"), [""; 0], "it stands in the catalog itself or in an object of its own");
    assert_eq!(damaged(|document| drop(document.catalog_mut().unwrap().remove(b"ViewerPreferences"))), ["title"]);
    assert_eq!(damaged(|document| drop(document.catalog_mut().unwrap().remove(b"StructTreeRoot"))), ["tags", "order"]);
    assert_eq!(lost(b"Alt"), ["alt"]);
    assert_eq!(lost(b"FontFile2"), ["fonts"]);
    assert_eq!(damaged(|document| drop(document.catalog_mut().unwrap().remove(b"Metadata"))), ["title", "pdfa"]);
}

/// Changes what stands between `from` and the next `<` of the file's own metadata.
fn retold(from: &'static str, to: &'static str) -> Vec<&'static str> {
    damaged(move |document| {
        for object in document.objects.values_mut() {
            let Ok(stream) = object.as_stream_mut() else { continue };
            let text = stream.decompressed_content().unwrap_or_else(|_| stream.content.clone());
            let text = String::from_utf8_lossy(&text).into_owned();
            if text.contains("<x:xmpmeta") {
                assert!(text.contains(from), "{text}");
                stream.dict.remove(b"Filter");
                stream.set_content(text.replace(from, to).into_bytes());
            }
        }
    })
}

#[test]
fn a_pdf_that_says_less_of_itself_than_it_must_is_found_out() {
    assert_eq!(retold("<pdfaid:part>2", "<pdfaid:part>1"), ["pdfa"]);
    assert_eq!(retold("<pdfaid:conformance>A", "<pdfaid:conformance>B"), ["pdfa"]);
    assert_eq!(retold("<pdfuaid:part>1", "<pdfuaid:part>2"), ["pdfa"]);
    assert_eq!(retold("<dc:title>", "<dc:subject>"), ["title"]);
    assert_eq!(retold("Your personal data: what happened and what you can do", ""), ["title"], "an empty one");
    assert_eq!(retold("Your personal data: what happened and what you can do", " "), ["title"], "a blank one");
    let changed =
        |key: &'static [u8], value: Object| damaged(move |document| document.catalog_mut().unwrap().set(key, value.clone()));
    let hides = |name: &str| Object::Dictionary(Dictionary::from_iter([(name, Object::Boolean(false))]));
    assert_eq!(changed(b"ViewerPreferences", hides("DisplayDocTitle")), ["title"], "a reader shows the file's name");
    assert_eq!(changed(b"MarkInfo", hides("Marked")), ["tags"]);
    assert_eq!(changed(b"Lang", Object::string_literal("")), ["lang"]);
    let not_subset = damaged(|document| {
        each(document, |object| {
            if object.has_type(b"FontDescriptor") {
                object.set("FontName", Object::Name(b"NotoSans".to_vec()));
            }
        })
    });
    assert_eq!(not_subset, ["fonts"], "all 500 kB of a font in each letter");
    let mute = damaged(|document| {
        each(document, |object| {
            if object.has(b"Alt") {
                object.set("Alt", Object::string_literal(""));
            }
        })
    });
    assert_eq!(mute, ["alt"]);
}

#[test]
fn tags_in_another_order_than_the_text_are_found_out() {
    let swapped = damaged(|document| {
        each(document, |object| {
            let is_body = object.get(b"S").and_then(Object::as_name).is_ok_and(|name| name == b"Document");
            if let (true, Ok(Object::Array(kids))) = (is_body, object.get_mut(b"K")) {
                kids.reverse();
            }
        });
    });
    assert_eq!(swapped, ["order"]);
}

#[test]
fn each_language_is_marked_where_it_begins() {
    let (_, bilingual) = kinds().into_iter().find(|(name, _)| *name == "a4-bilingual").unwrap();
    let document = Document::load_mem(&bilingual.typeset().unwrap().pdf).unwrap();
    let languages: Vec<String> = document
        .objects
        .values()
        .filter_map(|object| object.as_dict().ok()?.get(b"Lang").and_then(Object::as_str).ok())
        .map(|lang| String::from_utf8_lossy(lang).into_owned())
        .collect();
    assert!(languages.iter().any(|lang| lang == "cy") && languages.iter().any(|lang| lang == "en-GB"), "{languages:?}");
}

#[test]
fn headings_are_tagged_in_order() {
    let pdf = Given { check_page: None, ..letter_to("A Person") }.typeset().unwrap().pdf;
    let document = Document::load_mem(&pdf).unwrap();
    assert_eq!(elements(&document, "H1").count(), 1);
    assert_eq!(elements(&document, "H2").count(), 6);
}
