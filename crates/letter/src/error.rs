//! Why a letter was refused.

use std::fmt;

/// A place on a page.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Place {
    /// From 1.
    pub page: usize,
    /// Millimetres from the left edge.
    pub x: f64,
    /// Millimetres from the top edge.
    pub y: f64,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "page {}, {:.0} mm from the left and {:.0} mm from the top", self.page, self.x, self.y)
    }
}

/// Why a letter was refused. Texts name no value of the person's.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LetterError {
    /// There is no line in the window.
    #[error("the address block is empty")]
    AddressEmpty,
    /// The address does not fit the window.
    #[error("the address block does not fit the envelope's window: it reaches {0}")]
    AddressOverflow(Place),
    /// What is printed in the window is not what was given.
    #[error("the address block does not print as it was given")]
    AddressDiffers,
    /// Something but the address would show in the window.
    #[error("something other than the address may show in the envelope's window: {0}")]
    InWindow(Place),
    /// A discreet letter shows something on the panel behind the window.
    #[error("a discreet letter shows more than the address above its first fold: {0}")]
    NotDiscreet(Place),
    /// The letterhead is larger than its room.
    #[error("the letterhead does not fit beside the window: it reaches {0}")]
    LetterheadOverflow(Place),
    /// The logo or the signature is neither SVG nor PNG.
    #[error("the logo or the signature cannot be read as SVG or PNG")]
    LogoUnreadable,
    /// A picture tells nothing to who cannot see it.
    #[error("the logo or the signature has no alternative text")]
    AltMissing,
    /// The check page's address could be personal, or is too long to scan.
    #[error("the address of the check page is not a plain https address of at most 80 characters")]
    CheckPageNotPlain,
    /// A language is not a BCP 47 language with or without region.
    #[error("the language of the letter is not a language code such as `en` or `en-GB`")]
    Language,
    /// No font has these characters.
    #[error("no font has the characters {0}")]
    MissingGlyph(String),
    /// Characters that mislead or show nothing.
    #[error("the letter has characters that cannot be printed as they are meant: {0}")]
    Unprintable(String),
    /// Too long.
    #[error("the letter has {0} pages, more than {max}", max = crate::PAGES_MAX)]
    TooManyPages(usize),
    /// Ink where no printer reaches.
    #[error("something lies outside the printable area: {0}")]
    OutsidePrintable(Place),
    /// A picture outside the margins.
    #[error("a picture lies outside the margins: {0}")]
    PictureOutsideMargins(Place),
    /// A picture across a fold.
    #[error("a picture lies on a fold: {0}")]
    OnFold(Place),
    /// Print below the least size.
    #[error("text of {pt} pt is smaller than {least} pt: {place}")]
    TooSmall {
        /// Where.
        place: Place,
        /// Printed size.
        pt: f64,
        /// Least size of this print.
        least: f64,
    },
    /// A page does not say which it is.
    #[error("page {0} does not carry its number")]
    PageNumber(usize),
    /// The markup failed.
    #[error("the letter's text cannot be typeset: line {0} of the text that was filled in")]
    Markup(usize),
    /// A PDF cannot be drawn.
    #[error("the pages cannot be drawn as a picture")]
    Picture,
    /// Something is no PDF with pages.
    #[error("the letters cannot be joined into one PDF")]
    Joined,
    /// The layout or the export failed.
    #[error("the letter cannot be typeset")]
    Typst,
}

impl LetterError {
    /// A stable code.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AddressEmpty => "address_empty",
            Self::AddressOverflow(_) => "address_overflow",
            Self::AddressDiffers => "address_differs",
            Self::InWindow(_) => "in_window",
            Self::NotDiscreet(_) => "not_discreet",
            Self::LetterheadOverflow(_) => "letterhead_overflow",
            Self::LogoUnreadable => "logo_unreadable",
            Self::AltMissing => "alt_missing",
            Self::CheckPageNotPlain => "check_page_not_plain",
            Self::Language => "language",
            Self::MissingGlyph(_) => "missing_glyph",
            Self::Unprintable(_) => "unprintable",
            Self::TooManyPages(_) => "too_many_pages",
            Self::OutsidePrintable(_) => "outside_printable",
            Self::PictureOutsideMargins(_) => "picture_outside_margins",
            Self::OnFold(_) => "on_fold",
            Self::TooSmall { .. } => "too_small",
            Self::PageNumber(_) => "page_number",
            Self::Markup(_) => "markup",
            Self::Picture => "picture",
            Self::Joined => "joined",
            Self::Typst => "typst",
        }
    }

    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::AddressEmpty | Self::AddressOverflow(_) | Self::AddressDiffers => {
                "shorten or correct the person's address lines and import the row again"
            }
            Self::InWindow(_) | Self::NotDiscreet(_) | Self::OutsidePrintable(_) => {
                "take out of the template what it places by itself: text flows below the window"
            }
            Self::LetterheadOverflow(_) => "shorten the controller's name or address lines",
            Self::LogoUnreadable => "save it as SVG without links to other files, or as PNG",
            Self::AltMissing => "say in a few words what it shows",
            Self::CheckPageNotPlain => {
                "give the public page's address as https://host/path, without query, fragment or anything personal"
            }
            Self::Language => "correct the language of the template",
            Self::MissingGlyph(_) => {
                "write the person's name and address in a script that the fonts have, or choose another route for the person"
            }
            Self::Unprintable(_) => "correct the person's row or the incident's texts where these characters stand",
            Self::TooManyPages(_) => "shorten the incident's texts",
            Self::PictureOutsideMargins(_) | Self::OnFold(_) => "take the picture out of the template, or make it smaller",
            Self::TooSmall { .. } => "take sizes of text out of the template",
            Self::PageNumber(_) => "put {page} and {pages} into the label of the page numbers",
            Self::Picture | Self::Joined => "write the PDF and look at it with another program",
            Self::Markup(_) | Self::Typst => "check the template with a fictitious person",
        }
    }
}
