//! Letters: body and data in, checked PDF out. Typst lays the letter out in this process; the laid-out page is read
//! again before it may leave.

mod check;
mod document;
mod escape;
mod world;

pub use document::document;
pub use escape::escape;

use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};
use world::LetterWorld;

/// Pages that a letter may have.
pub const PAGES_MAX: usize = 4;
/// Letters between two clearings of Typst's memory; without it each letter's results stay (measured: 0.9 MB each).
const LETTERS_PER_EVICTION: u32 = 25;

/// A calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LetterDate {
    /// Year.
    pub year: i32,
    /// 1..=12.
    pub month: u8,
    /// 1..=31.
    pub day: u8,
}

/// One letter.
pub struct Letter<'a> {
    /// Lines in the envelope's window.
    pub address: &'a [String],
    /// Letterhead lines.
    pub sender: &'a [String],
    /// Code with which the reader asks whether the letter is genuine.
    pub reference_code: &'a str,
    /// Date of the document.
    pub date: LetterDate,
    /// The date as printed.
    pub date_text: &'a str,
    /// BCP 47 language of the body.
    pub language: &'a str,
    /// Title and heading.
    pub title: &'a str,
    /// Typst markup whose values are already escaped.
    pub body: &'a str,
    /// Stable identity of the PDF.
    pub ident: &'a str,
}

/// A letter ready to print.
pub struct Typeset {
    /// PDF/A-2a and PDF/UA-1, the same bytes each time.
    pub pdf: Vec<u8>,
    /// Pages.
    pub pages: u32,
}

/// Why a letter was refused. Texts name no value of the person's.
#[derive(Debug, thiserror::Error)]
pub enum LetterError {
    /// There is no line in the window.
    #[error("the address block is empty")]
    AddressEmpty,
    /// The address does not fit the window.
    #[error("the address block does not fit the envelope's window")]
    AddressOverflow,
    /// No font has these characters.
    #[error("no font has the characters {0}")]
    MissingGlyph(String),
    /// Too long.
    #[error("the letter has {0} pages, more than 4")]
    TooManyPages(usize),
    /// Ink of the address lies outside the window.
    #[error("the address lies outside the envelope's window")]
    OutsideWindow,
    /// The markup or the export failed.
    #[error("the letter cannot be typeset")]
    Typst,
}

impl LetterError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressEmpty => "address_empty",
            Self::AddressOverflow => "address_overflow",
            Self::MissingGlyph(_) => "missing_glyph",
            Self::TooManyPages(_) => "too_many_pages",
            Self::OutsideWindow => "outside_window",
            Self::Typst => "typst",
        }
    }

    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::AddressEmpty | Self::AddressOverflow | Self::OutsideWindow => {
                "shorten or correct the person's address lines and import the row again"
            }
            Self::MissingGlyph(_) => "write the name in a script that the fonts have, or add a font to crates/letter/fonts",
            Self::TooManyPages(_) => "shorten the incident's texts",
            Self::Typst => "check the template with a fictitious person",
        }
    }
}

/// Typesets letters, keeping fonts and layout warm.
pub struct Typesetter {
    world: LetterWorld,
    typeset: u32,
}

impl Typesetter {
    /// Loads the fonts that are part of this program; nothing of the machine is read.
    pub fn new() -> Result<Self, LetterError> {
        Ok(Self { world: LetterWorld::new().ok_or(LetterError::Typst)?, typeset: 0 })
    }

    /// Lays out, checks and exports one letter.
    pub fn typeset(&mut self, letter: &Letter<'_>) -> Result<Typeset, LetterError> {
        if letter.address.iter().all(|line| line.trim().is_empty()) {
            return Err(LetterError::AddressEmpty);
        }
        self.world.set(letter);
        let result = self.export(letter);
        self.typeset += 1;
        if self.typeset.is_multiple_of(LETTERS_PER_EVICTION) {
            comemo::evict(2);
        }
        result
    }

    fn export(&self, letter: &Letter<'_>) -> Result<Typeset, LetterError> {
        let document: PagedDocument = typst::compile(&self.world).output.map_err(|errors| {
            let overflows = errors.iter().any(|e| e.message.contains("ADDRESS_OVERFLOW"));
            if overflows { LetterError::AddressOverflow } else { LetterError::Typst }
        })?;
        check::check(&document)?;
        let pdf = pdf(&document, letter.ident)?;
        Ok(Typeset { pdf, pages: u32::try_from(document.pages().len()).unwrap_or(u32::MAX) })
    }
}

/// PDF/A-2a and PDF/UA-1, the same bytes each time.
fn pdf(document: &PagedDocument, ident: &str) -> Result<Vec<u8>, LetterError> {
    let standards = PdfStandards::new(&[PdfStandard::A_2a, PdfStandard::Ua_1]).map_err(|_| LetterError::Typst)?;
    let options = PdfOptions {
        ident: typst::foundations::Smart::Custom(ident.to_owned()),
        standards,
        tagged: true,
        ..PdfOptions::default()
    };
    typst_pdf::pdf(document, &options).map_err(|_| LetterError::Typst)
}
