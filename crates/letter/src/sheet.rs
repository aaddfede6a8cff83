//! The sheets of paper, in mm from the upper left corner: where the window is, what must stay clear, where it is folded.

use serde_json::{Value, json};

/// A rectangle on a page, mm from its left and top edge.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Area {
    pub left: f64,
    pub top: f64,
    pub right: f64,
    pub bottom: f64,
}

impl Area {
    pub const fn new(left: f64, top: f64, right: f64, bottom: f64) -> Self {
        Self { left, top, right, bottom }
    }

    /// Whether `other` lies inside, within a tenth of a millimetre.
    pub fn holds(&self, other: &Self) -> bool {
        const ROUNDING: f64 = 0.1;
        other.left >= self.left - ROUNDING
            && other.top >= self.top - ROUNDING
            && other.right <= self.right + ROUNDING
            && other.bottom <= self.bottom + ROUNDING
    }

    pub fn touches(&self, other: &Self) -> bool {
        other.left < self.right && other.right > self.left && other.top < self.bottom && other.bottom > self.top
    }
}

/// Paper, envelope and folds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Sheet {
    /// A4 in a UK DL or C5 window envelope, by GOV.UK Notify's print zones; folded at 99 and 198 mm, or at 148.5 mm.
    A4,
    /// US Letter in a #10 envelope with its window 7/8 in from the left and 1/2 in from the bottom, 4 1/2 by 1 1/8 in;
    /// folded at 98.4 and 188.9 mm (3 7/8 in), so that the sheet slips by less than 7 mm in the envelope.
    UsLetter,
}

/// What a sheet prescribes.
pub(crate) struct Zones {
    pub width: f64,
    pub height: f64,
    /// What a printer reaches.
    pub printable: Area,
    /// Left, top, right, bottom margin.
    pub margins: [f64; 4],
    /// Where the layout puts the address block.
    pub address: Area,
    /// What shows in the window however the sheet slips: the address must stay inside. Right of the address block, to
    /// `window.right`, there is room for a returns mark.
    pub window: Area,
    /// What may show in the window as the sheet slips: nothing but the address may stand here.
    pub clear: Area,
    pub letterhead: Area,
    pub logo: Area,
    /// The first line of the letter on page 1, below the first fold.
    pub body_top: f64,
    /// Folds, from the top.
    pub folds: &'static [f64],
}

const A4: Zones = Zones {
    width: 210.0,
    height: 297.0,
    printable: Area::new(15.0, 5.0, 195.0, 292.0),
    margins: [25.0, 20.0, 17.0, 16.5],
    address: Area::new(25.0, 40.0, 102.0, 66.3),
    // Notify's own check lets ink pass its zone, 24.6 to 120 by 39.5 to 66.3 mm, by 1 mm.
    window: Area::new(24.6, 38.5, 120.0, 67.3),
    clear: Area::new(15.0, 30.0, 125.0, 95.0),
    letterhead: Area::new(127.0, 10.0, 195.0, 95.0),
    logo: Area::new(25.0, 12.0, 110.0, 29.0),
    body_top: 101.5,
    folds: &[99.0, 148.5, 198.0],
};

const US_LETTER: Zones = Zones {
    width: 215.9,
    height: 279.4,
    printable: Area::new(12.7, 6.35, 203.2, 273.05),
    margins: [25.4, 20.0, 18.0, 17.0],
    address: Area::new(25.4, 64.5, 94.0, 85.0),
    window: Area::new(22.2, 63.5, 111.1, 85.7),
    clear: Area::new(0.0, 57.1, 136.5, 92.1),
    letterhead: Area::new(138.0, 12.0, 203.2, 92.1),
    logo: Area::new(25.4, 14.0, 120.0, 34.0),
    body_top: 101.0,
    folds: &[98.4, 188.9],
};

impl Zones {
    /// What the layout needs to know.
    pub fn value(&self) -> Value {
        let area = |area: &Area| json!({ "left": area.left, "top": area.top, "right": area.right, "bottom": area.bottom });
        json!({
            "width": self.width, "height": self.height, "margins": self.margins, "folds": self.folds,
            "address": area(&self.address), "letterhead": area(&self.letterhead), "logo": area(&self.logo),
            "body_top": self.body_top,
        })
    }
}

impl Sheet {
    pub(crate) fn zones(self) -> &'static Zones {
        match self {
            Self::A4 => &A4,
            Self::UsLetter => &US_LETTER,
        }
    }
}

/// How large the letter is printed. The address block stays at 10 pt or a little more: it must fit the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Print {
    /// 10.5 pt, nothing below 10 pt.
    Standard,
    /// 18 pt, nothing below 16 pt but the address block.
    Large,
    /// 14 pt, nothing below 12 pt but the address block, lines wide apart: for who reads with effort.
    Easy,
}

impl Print {
    /// Size of the letter's text, pt.
    pub(crate) fn body_pt(self) -> f64 {
        match self {
            Self::Standard => 10.5,
            Self::Large => 18.0,
            Self::Easy => 14.0,
        }
    }

    /// Smallest size that may be printed, pt.
    pub(crate) fn least_pt(self) -> f64 {
        match self {
            Self::Standard => 10.0,
            Self::Large => 16.0,
            Self::Easy => 12.0,
        }
    }
}
