//! Reads the laid-out letter: what shows in the window, what is printed where no printer reaches, what no font has.

use crate::escape::is_right_to_left;
use crate::hygiene::{code_points, printable, tidy};
use crate::ink::{Block, Ink, Kind};
use crate::printed::{Printed, printed};
use crate::sheet::{Area, Zones};
use crate::{Letter, LetterError, PAGES_MAX, Place};
use std::collections::BTreeSet;

/// Room between a picture and a fold, mm.
const FOLD: f64 = 1.0;

/// Every rule for one letter, given all that its pages show.
pub(crate) fn check(letter: &Letter<'_>, inks: &[Ink<'_>], pages: usize) -> Result<Printed, LetterError> {
    if pages > PAGES_MAX {
        return Err(LetterError::TooManyPages(pages));
    }
    let printed = printed(inks);
    printable(&printed.text).map_err(|refused| LetterError::Unprintable(refused.0))?;
    glyphs(inks)?;
    let zones = letter.sheet.zones();
    for ink in inks.iter().filter(|ink| ink.area.left.is_finite()) {
        if ink.page == 0 {
            first_page(letter, zones, ink)?;
        }
        any_page(letter, zones, ink)?;
    }
    if !same_address(&printed.address, &letter.address.join("\n")) {
        return Err(LetterError::AddressDiffers);
    }
    page_numbers(letter, zones, inks, pages)?;
    Ok(printed)
}

/// No glyph is the box that stands for a missing one.
pub(crate) fn glyphs(inks: &[Ink<'_>]) -> Result<(), LetterError> {
    let mut missing = BTreeSet::new();
    for ink in inks {
        let Kind::Text(text) = ink.kind else { continue };
        for glyph in text.glyphs.iter().filter(|glyph| glyph.id == 0) {
            missing.extend(text.text.get(glyph.range()).unwrap_or_default().chars());
        }
    }
    if missing.is_empty() { Ok(()) } else { Err(LetterError::MissingGlyph(code_points(missing))) }
}

/// The window, the panel around it and the letterhead beside it.
fn first_page(letter: &Letter<'_>, zones: &Zones, ink: &Ink<'_>) -> Result<(), LetterError> {
    if ink.block == Block::Address {
        // The window less the room for a returns mark.
        let own = Area { right: zones.address.right, ..zones.window };
        return if own.holds(&ink.area) { Ok(()) } else { Err(LetterError::AddressOverflow(beyond(ink, &own))) };
    }
    if letter.letterhead.discreet && ink.area.top < zones.folds[0] {
        return Err(LetterError::NotDiscreet(place(ink)));
    }
    if ink.block == Block::Letterhead && !zones.letterhead.holds(&ink.area) {
        return Err(LetterError::LetterheadOverflow(beyond(ink, &zones.letterhead)));
    }
    if zones.clear.touches(&ink.area) {
        return Err(LetterError::InWindow(place(ink)));
    }
    Ok(())
}

fn any_page(letter: &Letter<'_>, zones: &Zones, ink: &Ink<'_>) -> Result<(), LetterError> {
    if !zones.printable.holds(&ink.area) {
        return Err(LetterError::OutsidePrintable(beyond(ink, &zones.printable)));
    }
    match ink.kind {
        Kind::Text(text) => {
            let least = if ink.block == Block::Address { 10.0 } else { letter.print.least_pt() };
            let pt = text.size.to_pt();
            if pt < least - 1e-6 {
                return Err(LetterError::TooSmall { place: place(ink), pt, least });
            }
        }
        Kind::Picture => {
            let [left, top, right, bottom] = zones.margins;
            let inside = Area::new(left, top, zones.width - right, zones.height - bottom);
            let is_logo = ink.page == 0 && zones.logo.holds(&ink.area);
            if !inside.holds(&ink.area) && !is_logo {
                return Err(LetterError::PictureOutsideMargins(beyond(ink, &inside)));
            }
            // A logo or a code has its place; a signature stands where the text ends, and bears a fold.
            let may_fold = ink.block == Block::Signature;
            if !may_fold && zones.folds.iter().any(|fold| ink.area.top - FOLD < *fold && *fold < ink.area.bottom + FOLD) {
                return Err(LetterError::OnFold(place(ink)));
            }
        }
        Kind::Shape => {}
    }
    Ok(())
}

/// Each page says in its foot, in each language, which it is and how many there are.
fn page_numbers(letter: &Letter<'_>, zones: &Zones, inks: &[Ink<'_>], pages: usize) -> Result<(), LetterError> {
    let foot = zones.height - zones.margins[3];
    for page in 0..pages {
        let foot: String = inks
            .iter()
            .filter(|ink| ink.page == page && ink.area.top >= foot)
            .filter_map(|ink| if let Kind::Text(text) = ink.kind { Some(text.text.as_str()) } else { None })
            .collect();
        let foot = bare(&foot);
        for part in letter.parts() {
            let label = part.labels.page;
            let number = label.replace("{page}", &(page + 1).to_string()).replace("{pages}", &pages.to_string());
            if !label.contains("{page}") || !label.contains("{pages}") || !foot.contains(&bare(&number)) {
                return Err(LetterError::PageNumber(page + 1));
            }
        }
    }
    Ok(())
}

/// Nothing is missing, doubled or changed. Where a line mixes directions, the order in which it shows is not the order in
/// which it is read, and only the characters are compared.
fn same_address(printed: &str, given: &str) -> bool {
    let (mut printed, mut given): (Vec<char>, Vec<char>) = (bare(printed).chars().collect(), bare(given).chars().collect());
    if given.iter().copied().any(is_right_to_left) {
        printed.sort_unstable();
        given.sort_unstable();
    }
    printed == given
}

/// Text without spaces and what shows nothing.
fn bare(text: &str) -> String {
    tidy(text).chars().filter(|c| !c.is_whitespace() && !matches!(c, '\u{200c}' | '\u{200d}')).collect()
}

fn place(ink: &Ink<'_>) -> Place {
    Place { page: ink.page + 1, x: ink.area.left, y: ink.area.top }
}

/// Where the ink leaves an area.
fn beyond(ink: &Ink<'_>, area: &Area) -> Place {
    let x = if ink.area.right > area.right { ink.area.right } else { ink.area.left };
    let y = if ink.area.bottom > area.bottom { ink.area.bottom } else { ink.area.top };
    Place { page: ink.page + 1, x, y }
}
