//! Letters: bodies and data in, checked PDF out. Typst lays the letter out in this process; the laid-out page is read
//! again before it may leave. The map, in reading order.

mod letter;
mod sheet;
mod reckon;
mod fit;
mod pieces;
mod hygiene;
mod escape;
mod fonts;
mod qr;
mod world;
mod ink;
mod mend;
mod printed;
mod check;
mod join;
mod document;
mod picture;
mod error;

pub use document::document;
pub use error::{LetterError, Place};
pub use escape::escape;
pub use fonts::FAMILIES;
pub use hygiene::{Unprintable, printable};
pub use join::{Joined, count_pages, join};
pub use letter::{Labels, Letter, LetterDate, Letterhead, Logo, Part};
pub use picture::picture;
pub use printed::Printed;
pub use sheet::{Print, Sheet};

use fit::Fit;
use typst_layout::PagedDocument;
use typst_pdf::{PdfOptions, PdfStandard, PdfStandards};
use world::LetterWorld;

/// Where the sender's signature stands in a body, between two empty lines: a character that no value holds.
pub const SIGNATURE: char = '\u{e003}';
/// Pages that a letter may have: five sheets, as print houses take them into one envelope.
pub const PAGES_MAX: usize = 10;
/// Letters between two clearings of Typst's memory; without it each letter's results stay (measured: 0.9 MB each).
const LETTERS_PER_EVICTION: u32 = 25;

/// A letter ready to print.
pub struct Typeset {
    /// PDF/A-2a and PDF/UA-1, the same bytes each time.
    pub pdf: Vec<u8>,
    /// Pages.
    pub pages: u32,
    /// What stands on them.
    pub printed: Printed,
}

/// Typesets letters, keeping fonts and layout warm.
pub struct Typesetter {
    world: LetterWorld,
    typeset: u32,
    layouts: u64,
}

impl Typesetter {
    /// Loads the fonts that are part of this program; nothing of the machine is read.
    pub fn new() -> Result<Self, LetterError> {
        Ok(Self { world: LetterWorld::new().ok_or(LetterError::Typst)?, typeset: 0, layouts: 0 })
    }

    /// Lays out, checks and exports one letter.
    pub fn typeset(&mut self, letter: &Letter<'_>) -> Result<Typeset, LetterError> {
        let result = self.export(letter);
        self.typeset += 1;
        if self.typeset.is_multiple_of(LETTERS_PER_EVICTION) {
            comemo::evict(2);
        }
        result
    }

    fn export(&mut self, letter: &Letter<'_>) -> Result<Typeset, LetterError> {
        let titles: Vec<&str> = letter.parts().map(|part| part.title).collect();
        let title = titles.join(" / ");
        let mut fit = Fit::guess(letter);
        loop {
            let document = self.lay_out(&title, letter, fit)?;
            let pages = document.pages();
            if !fit.holds(pages.len()) {
                fit = fit.closer(letter);
                continue;
            }
            match check::check(letter, &ink::read(pages), pages.len()) {
                Ok(printed) => {
                    let pages = u32::try_from(pages.len()).unwrap_or(u32::MAX);
                    return Ok(Typeset { pdf: pdf(&document, letter.ident)?, pages, printed });
                }
                Err(refused) => fit = fit.after(&refused).ok_or(refused)?,
            }
        }
    }

    /// Layouts made so far: more than letters, where a guess did not hold.
    pub fn layouts(&self) -> u64 {
        self.layouts
    }

    fn lay_out(&mut self, title: &str, letter: &Letter<'_>, fit: Fit) -> Result<PagedDocument, LetterError> {
        self.world.set(title, letter, fit)?;
        self.layouts += 1;
        let compiled = typst::compile(&self.world);
        let has_logo = letter.letterhead.logo.or(letter.letterhead.signature).is_some();
        // A warning is a layout that is not what it should be, such as one that does not settle.
        if !compiled.warnings.is_empty() {
            return Err(self.world.error(&compiled.warnings, false));
        }
        let document: PagedDocument = compiled.output.map_err(|errors| self.world.error(&errors, has_logo))?;
        Ok(if mend::is_needed(&document) { mend::mend(&document) } else { document })
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
