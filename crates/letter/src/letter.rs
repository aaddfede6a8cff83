//! What a letter is made of.

use crate::sheet::{Print, Sheet};

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
#[derive(Debug, Clone, Copy)]
pub struct Letter<'a> {
    /// Paper and envelope.
    pub sheet: Sheet,
    /// Size of print.
    pub print: Print,
    /// Who writes.
    pub letterhead: Letterhead<'a>,
    /// Lines in the envelope's window.
    pub address: &'a [String],
    /// Code with which the reader asks whether the letter is genuine, as printed: in groups.
    pub reference_code: &'a str,
    /// Address of the public page that tells how to check a letter: `https`, the same for everybody.
    pub check_page: Option<&'a str>,
    /// Date of the document.
    pub date: LetterDate,
    /// The letter.
    pub part: Part<'a>,
    /// The same letter in a second language, in the same envelope.
    pub translation: Option<Part<'a>>,
    /// Stable identity of the PDF.
    pub ident: &'a str,
}

impl<'a> Letter<'a> {
    /// The letter in each of its languages.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &Part<'a>> {
        std::iter::once(&self.part).chain(&self.translation)
    }
}

/// The sender's head on page 1.
#[derive(Debug, Clone, Copy)]
pub struct Letterhead<'a> {
    /// Name, then address lines.
    pub lines: &'a [String],
    /// Logo.
    pub logo: Option<Logo<'a>>,
    /// Signature, printed where a body has [`crate::SIGNATURE`].
    pub signature: Option<Logo<'a>>,
    /// Nothing of the sender stands on the panel that faces the window: the head begins below the first fold.
    pub discreet: bool,
}

/// A picture of the sender's.
#[derive(Debug, Clone, Copy)]
pub struct Logo<'a> {
    /// SVG or PNG.
    pub bytes: &'a [u8],
    /// What it shows, for who cannot see it.
    pub alt: &'a str,
}

/// A letter in one language.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// BCP 47: language, and region where it matters (`en-GB`).
    pub language: &'a str,
    /// Title and heading.
    pub title: &'a str,
    /// Words around the text.
    pub labels: Labels<'a>,
    /// Typst markup whose values are already escaped; the signature stands at [`crate::SIGNATURE`].
    pub body: &'a str,
}

/// Words that the layout prints, in the part's language.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// The date as printed.
    pub date: &'a str,
    /// Stands before the reference code: "Your reference".
    pub reference: &'a str,
    /// "Page {page} of {pages}".
    pub page: &'a str,
    /// Stands beside the QR code: "Check that this letter is real".
    pub check: &'a str,
}
