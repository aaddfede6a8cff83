//! Pictures of what was typeset: the PDF itself, drawn by another program than the one that wrote it.

use crate::LetterError;
use hayro::hayro_interpret::InterpreterSettings;
use hayro::hayro_syntax::Pdf;
use hayro::vello_cpu::color::palette::css::WHITE;
use hayro::{RenderCache, RenderSettings, render};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Colours of a picture, at most.
const COLOURS_MAX: usize = 256;
/// Pixels between two pages.
const GAP: usize = 12;
/// What lies between and below pages.
const GREY: [u8; 3] = [170; 3];

/// All pages of a PDF side by side as a small PNG. Fonts that the PDF does not hold are not looked for anywhere.
pub fn picture(pdf: &[u8], pixels_per_inch: f32) -> Result<Vec<u8>, LetterError> {
    let pdf = Pdf::new(pdf.to_vec()).map_err(|_| LetterError::Picture)?;
    let settings = InterpreterSettings {
        font_resolver: Arc::new(|_| None),
        cmap_resolver: Arc::new(|_| None),
        warning_sink: Arc::new(|_| {}),
        ..InterpreterSettings::default()
    };
    let scale = pixels_per_inch / 72.0;
    let look = RenderSettings { x_scale: scale, y_scale: scale, bg_color: WHITE, ..RenderSettings::default() };
    let cache = RenderCache::new();
    let pages: Vec<_> = pdf.pages().iter().map(|page| render(page, &cache, &settings, &look)).collect();
    let height = pages.iter().map(|page| usize::from(page.height())).max().ok_or(LetterError::Picture)?;
    let width = pages.iter().map(|page| usize::from(page.width()) + GAP).sum::<usize>() - GAP;
    let mut canvas = vec![GREY; width * height];
    let mut left = 0;
    for page in &pages {
        let own = usize::from(page.width());
        for (y, row) in page.data_as_u8_slice().chunks_exact(own * 4).enumerate() {
            for (x, pixel) in row.chunks_exact(4).enumerate() {
                canvas[y * width + left + x] = [pixel[0], pixel[1], pixel[2]];
            }
        }
        left += own + GAP;
    }
    png(&canvas, width, height).ok_or(LetterError::Picture)
}

/// PNG with a palette, as fine as it allows.
fn png(canvas: &[[u8; 3]], width: usize, height: usize) -> Option<Vec<u8>> {
    let (bits, mut colours) =
        (2..=5).rev().map(|bits| (bits, colours(canvas, bits))).find(|(_, all)| all.len() <= COLOURS_MAX)?;
    for (index, own) in colours.values_mut().zip(0_u8..) {
        *index = own;
    }
    let pixels: Vec<u8> = canvas.iter().map(|pixel| colours[&coarse(*pixel, bits)]).collect();
    let mut file = Vec::new();
    let mut encoder = png::Encoder::new(&mut file, u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_depth(png::BitDepth::Eight);
    encoder.set_palette(colours.keys().flatten().copied().collect::<Vec<u8>>());
    encoder.set_compression(png::Compression::High);
    encoder.set_filter(png::Filter::NoFilter);
    encoder.write_header().ok()?.write_image_data(&pixels).ok()?;
    Some(file)
}

fn colours(canvas: &[[u8; 3]], bits: u32) -> BTreeMap<[u8; 3], u8> {
    canvas.iter().map(|pixel| (coarse(*pixel, bits), 0)).collect()
}

/// A colour with so many bits a channel, black and white as they are.
fn coarse(pixel: [u8; 3], bits: u32) -> [u8; 3] {
    let most = (1_u32 << bits) - 1;
    pixel.map(|value| u8::try_from((u32::from(value) * most + 127) / 255 * 255 / most).unwrap_or(u8::MAX))
}
