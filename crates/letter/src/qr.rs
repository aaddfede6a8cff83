//! The QR code of the public check page, as vector drawing.

use crate::LetterError;
use fast_qr::{ECL, QRBuilder};

/// Light modules around the code, as its standard asks.
const QUIET: usize = 4;
/// A longer address makes modules too fine for a print of 24 mm.
const URL_MAX: usize = 80;

/// The code as SVG. Only a plain `https` address is drawn: a query, a fragment or a name before `@` could be personal.
pub(crate) fn svg(url: &str) -> Result<String, LetterError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-._~/:".contains(c);
    let host = url.strip_prefix("https://").ok_or(LetterError::CheckPageNotPlain)?;
    if host.is_empty() || url.len() > URL_MAX || !url.chars().all(plain) {
        return Err(LetterError::CheckPageNotPlain);
    }
    let code = QRBuilder::new(url).ecl(ECL::M).build().map_err(|_| LetterError::CheckPageNotPlain)?;
    let side = code.size + 2 * QUIET;
    // Each run of dark modules is one stroke: the shortest drawing.
    let mut svg = format!(r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {side} {side}"><path stroke="#000" d=""##);
    for y in 0..code.size {
        let mut x = 0;
        while x < code.size {
            let run = (x..code.size).take_while(|x| code[y][*x].value()).count();
            if run > 0 {
                svg.push_str(&format!("M{} {}.5h{run}", x + QUIET, y + QUIET));
            }
            x += run.max(1);
        }
    }
    svg.push_str(r#""/></svg>"#);
    Ok(svg)
}
