//! What Typst may read: a static source, these people's bodies and data, pictures, and the fonts of this program.
//! Nothing else.

use crate::fit::{Fit, SIGNATURE_MM};
use crate::hygiene::tidy;
use crate::pieces::signed_pieces;
use crate::{Letter, LetterError, Part, fonts, qr};
use serde_json::{Value, json};
use std::collections::HashMap;
use typst::diag::{FileError, FileResult, SourceDiagnostic};
use typst::foundations::{Bytes, Datetime, Duration};
use typst::syntax::{FileId, RootedPath, Source, VirtualPath, VirtualRoot};
use typst::text::{Font, FontBook};
use typst::utils::LazyHash;
use typst::{Library, LibraryExt, World, WorldExt};

const LETTER: &str = include_str!("letter.typ");
/// The picture of the check page's address, for all letters of one call.
const CHECK: &str = "/check.luma";
const LOGO: &str = "/logo";
const SIGNATURE: &str = "/signature";
/// What stands in the foot of each letter.
const FOOT: &str = "/foot.json";

pub(crate) struct LetterWorld {
    library: LazyHash<Library>,
    book: LazyHash<FontBook>,
    fonts: Vec<Font>,
    main: Source,
    /// Bodies in pieces, `/letter-part-piece.typ`. The same ids for every letter: Typst never frees a path, and has room
    /// for 65,535.
    bodies: HashMap<FileId, Piece>,
    data: File,
    foot: File,
    logo: File,
    signature: File,
    check: File,
    /// What `check` shows, and its side, pixels.
    check_page: String,
    check_side: usize,
}

/// A piece of a body.
struct Piece {
    source: Source,
    /// Lines of the body before it.
    before: usize,
}

struct File {
    id: FileId,
    bytes: Bytes,
}

impl File {
    fn new(path: &str) -> Option<Self> {
        Some(Self { id: id(path)?, bytes: Bytes::new(Vec::<u8>::new()) })
    }
}

fn id(path: &str) -> Option<FileId> {
    Some(RootedPath::new(VirtualRoot::Project, VirtualPath::new(path).ok()?).intern())
}

impl LetterWorld {
    pub(crate) fn new() -> Option<Self> {
        Self::of("/letter.typ", LETTER, "/letter.json")
    }

    pub(crate) fn document(source: &'static str, data: &Value) -> Option<Self> {
        let mut world = Self::of("/document.typ", source, "/data.json")?;
        world.data.bytes = Bytes::new(data.to_string().into_bytes());
        Some(world)
    }

    fn of(path: &str, source: &'static str, data: &str) -> Option<Self> {
        let fonts: Vec<Font> = fonts::FACES.iter().flat_map(|data| Font::iter(Bytes::new(*data))).collect();
        Some(Self {
            library: LazyHash::new(<Library as LibraryExt>::default()),
            book: LazyHash::new(FontBook::from_fonts(&fonts)),
            fonts,
            main: Source::new(id(path)?, source.to_owned()),
            bodies: HashMap::new(),
            data: File::new(data)?,
            foot: File::new(FOOT)?,
            logo: File::new(LOGO)?,
            signature: File::new(SIGNATURE)?,
            check: File::new(CHECK)?,
            check_page: String::new(),
            check_side: 0,
        })
    }

    /// Takes a letter.
    pub(crate) fn set(&mut self, title: &str, letter: &Letter<'_>, fit: Fit) -> Result<(), LetterError> {
        let pictures = [(&mut self.logo, letter.letterhead.logo), (&mut self.signature, letter.letterhead.signature)];
        for (file, picture) in pictures.into_iter().filter_map(|(file, picture)| Some((file, picture?))) {
            if picture.alt.trim().is_empty() {
                return Err(LetterError::AltMissing);
            }
            if file.bytes.as_slice() != picture.bytes {
                file.bytes = Bytes::new(picture.bytes.to_vec());
            }
        }
        if let Some(url) = letter.check_page
            && url != self.check_page
        {
            let code = qr::code(url)?;
            self.check.bytes = Bytes::new(code.grey);
            self.check_side = code.side;
            url.clone_into(&mut self.check_page);
        }
        let mut known = std::mem::take(&mut self.bodies);
        let mut counts = Vec::new();
        for (part, text) in letter.parts().enumerate() {
            let (pieces, signed) = signed_pieces(text.body);
            counts.push((pieces.len(), signed));
            for (piece, (before, text)) in pieces.into_iter().enumerate() {
                let id = id(&format!("/{part}-{piece}.typ")).ok_or(LetterError::Typst)?;
                // What the letter before said too is neither read nor laid out again.
                let known = known.remove(&id).map(|piece| piece.source).filter(|source| source.text() == text);
                let source = known.unwrap_or_else(|| Source::new(id, text.to_owned()));
                self.bodies.insert(id, Piece { source, before });
            }
        }
        self.foot.bytes = Bytes::new(foot_value(letter)?.to_string().into_bytes());
        let (language, region) = language(letter.part.language)?;
        let data = json!({
            "title": tidy(title),
            "year": letter.date.year, "month": letter.date.month, "day": letter.date.day,
            "language": language, "region": region,
            "sheet": letter.sheet.zones().value(),
            "fonts": fonts::FAMILIES,
            "letter": letter_value(letter, fit, &counts, self.check_side)?,
        });
        self.data.bytes = Bytes::new(data.to_string().into_bytes());
        Ok(())
    }

    /// What a mistake of Typst's is about, without its words: they may hold values.
    pub(crate) fn error(&self, errors: &[SourceDiagnostic], has_logo: bool) -> LetterError {
        let Some((span, at)) = errors.first().and_then(|error| Some((error.span, error.span.id()?))) else {
            return LetterError::Typst;
        };
        if let Some(Piece { source, before }) = self.bodies.get(&at) {
            let line = self.range(span).and_then(|range| source.lines().byte_to_line(range.start));
            return line.map_or(LetterError::Typst, |line| LetterError::Markup(before + line + 1));
        }
        // The layout itself has no mistakes; what it reads and cannot vouch for are the sender's pictures.
        if has_logo { LetterError::LogoUnreadable } else { LetterError::Typst }
    }
}

fn letter_value(letter: &Letter<'_>, fit: Fit, pieces: &[(usize, Vec<usize>)], check_side: usize) -> Result<Value, LetterError> {
    let lines = |lines: &[String]| -> Vec<String> {
        lines.iter().map(|line| tidy(line)).filter(|line| !line.trim().is_empty()).collect()
    };
    let address = lines(letter.address);
    if address.is_empty() {
        return Err(LetterError::AddressEmpty);
    }
    let parts = letter.parts().zip(pieces).map(|(part, pieces)| part_value(part, pieces)).collect::<Result<Vec<_>, _>>()?;
    let mut value = json!({
        "size": letter.print.body_pt(),
        "fit": fit.value(),
        "discreet": letter.letterhead.discreet,
        "sender": lines(letter.letterhead.lines),
        "address": address,
        "reference": tidy(letter.reference_code),
        "parts": parts,
    });
    if let Some(logo) = letter.letterhead.logo {
        value["logo"] = json!({ "path": LOGO, "alt": tidy(logo.alt) });
    }
    if let Some(signature) = letter.letterhead.signature {
        value["signature"] = json!({ "path": SIGNATURE, "alt": tidy(signature.alt), "height": SIGNATURE_MM });
    }
    if let Some(url) = letter.check_page {
        let shown = url.strip_prefix("https://").unwrap_or(url);
        value["check"] = json!({
            "url": shown, "alt": format!("QR code: {url}"),
            "format": { "encoding": "luma8", "width": check_side, "height": check_side },
        });
    }
    Ok(value)
}

fn part_value(part: &Part<'_>, (pieces, signed): &(usize, Vec<usize>)) -> Result<Value, LetterError> {
    let (language, region) = language(part.language)?;
    Ok(json!({
        "language": language, "region": region,
        "title": tidy(part.title),
        "date": tidy(part.labels.date),
        "reference": tidy(part.labels.reference),
        "check": tidy(part.labels.check),
        "pieces": pieces, "signed": signed,
    }))
}

fn foot_value(letter: &Letter<'_>) -> Result<Value, LetterError> {
    let number = |part: &Part<'_>| {
        let (language, region) = language(part.language)?;
        Ok(json!({ "language": language, "region": region, "page": tidy(part.labels.page) }))
    };
    let numbers = letter.parts().map(number).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({ "size": letter.print.body_pt(), "reference": tidy(letter.reference_code), "numbers": numbers }))
}

/// Language and region of a BCP 47 tag.
fn language(tag: &str) -> Result<(&str, Option<&str>), LetterError> {
    let (language, region) = tag.split_once('-').map_or((tag, None), |(language, region)| (language, Some(region)));
    let is_language = matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_lowercase());
    let is_region = region.is_none_or(|region| region.len() == 2 && region.bytes().all(|b| b.is_ascii_uppercase()));
    if is_language && is_region { Ok((language, region)) } else { Err(LetterError::Language) }
}

impl World for LetterWorld {
    fn library(&self) -> &LazyHash<Library> {
        &self.library
    }

    fn book(&self) -> &LazyHash<FontBook> {
        &self.book
    }

    fn main(&self) -> FileId {
        self.main.id()
    }

    fn source(&self, id: FileId) -> FileResult<Source> {
        let body = || self.bodies.get(&id).map(|piece| &piece.source);
        let source = if self.main.id() == id { Some(&self.main) } else { body() };
        source.cloned().ok_or(FileError::AccessDenied)
    }

    fn file(&self, id: FileId) -> FileResult<Bytes> {
        let mut files = [&self.data, &self.foot, &self.logo, &self.signature, &self.check].into_iter();
        files.find(|file| file.id == id).map(|file| file.bytes.clone()).ok_or(FileError::AccessDenied)
    }

    fn font(&self, index: usize) -> Option<Font> {
        self.fonts.get(index).cloned()
    }

    fn today(&self, _offset: Option<Duration>) -> Option<Datetime> {
        // A letter's date is a field of the plan, never the clock.
        None
    }
}
