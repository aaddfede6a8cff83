//! The QR code of the public check page, as a picture that all letters of a file share.

use crate::LetterError;
use fast_qr::{ECL, QRBuilder};

/// Light modules around the code, as its standard asks.
const QUIET: usize = 4;
/// Pixels of a module's side: who looks at a screen sees edges, and a printer has whole pixels anyway.
const PIXELS: usize = 4;
/// A longer address makes modules too fine for a print of 24 mm.
const URL_MAX: usize = 80;

/// A square picture, one byte of grey a pixel.
#[derive(Default)]
pub(crate) struct Code {
    pub side: usize,
    pub grey: Vec<u8>,
}

/// The code. Only a plain `https` address is drawn: a query, a fragment or a name before `@` could be personal.
pub(crate) fn code(url: &str) -> Result<Code, LetterError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
    let host = url.strip_prefix("https://").ok_or(LetterError::CheckPageNotPlain)?;
    if host.is_empty() || url.len() > URL_MAX || !url.chars().all(plain) {
        return Err(LetterError::CheckPageNotPlain);
    }
    let code = QRBuilder::new(url).ecl(ECL::M).build().map_err(|_| LetterError::CheckPageNotPlain)?;
    let side = (code.size + 2 * QUIET) * PIXELS;
    let inside = QUIET..QUIET + code.size;
    let is_dark = |x: usize, y: usize| inside.contains(&x) && inside.contains(&y) && code[y - QUIET][x - QUIET].value();
    let pixels = (0..side * side).map(|at| (at % side / PIXELS, at / side / PIXELS));
    Ok(Code { side, grey: pixels.map(|(x, y)| if is_dark(x, y) { 0 } else { 255 }).collect() })
}
