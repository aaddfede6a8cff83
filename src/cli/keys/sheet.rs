//! One half of the master key as its holder sees it: as text, and as a page to print.

use crate::model::sheet::{GROUPS_PER_LINE, Half};
use duly_letter::{LetterError, document};
use serde_json::json;
use time::{Date, OffsetDateTime};
use zeroize::Zeroizing;

const PAGE: &str = include_str!("sheet.typ");

/// What stands on a sheet.
pub struct Sheet {
    number: u8,
    fingerprint: String,
    made: Date,
    groups: Vec<Zeroizing<String>>,
}

impl Sheet {
    /// The sheet of a half, with today's date.
    pub fn of(half: &Half) -> Self {
        Self {
            number: half.number,
            fingerprint: hex::encode_upper(half.fingerprint),
            made: OffsetDateTime::now_utc().date(),
            groups: half.groups(),
        }
    }

    /// Names the key, and tells nothing of it.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    fn made(&self) -> String {
        format!("{} {} {}", self.made.day(), self.made.month(), self.made.year())
    }

    /// As text; `duly key test-restore` reads it again.
    pub fn text(&self) -> Zeroizing<String> {
        let (Self { number, fingerprint, groups, .. }, made) = (self, self.made());
        let mut text = Zeroizing::new(format!(
            "Duly: recovery sheet of the master key\n\nHalf {number} of 2     Key {fingerprint}     Made {made}\n\n"
        ));
        for (line, groups) in groups.chunks(GROUPS_PER_LINE).enumerate() {
            let (first, last) = (line * GROUPS_PER_LINE + 1, (line + 1) * GROUPS_PER_LINE);
            text.push_str(&format!("Groups {first:>2} to {last:>2}:"));
            groups.iter().for_each(|group| text.extend(["   ", group.as_str()]));
            text.push('\n');
        }
        text.push_str(
            "\nThis half alone opens nothing. Both halves together are the master key: keep it sealed, and apart from the other.\n\
             Letters and digits: there is no I, L, O or U. The fifth character of each group checks the four before it.\n\
             To check both:   duly key test-restore\nTo restore:      duly key restore --out FILE\n",
        );
        text
    }

    /// As a page to print.
    pub fn pdf(&self) -> Result<Vec<u8>, LetterError> {
        let lines: Vec<Vec<&str>> =
            self.groups.chunks(GROUPS_PER_LINE).map(|line| line.iter().map(|group| group.as_str()).collect()).collect();
        let (year, month, day) = self.made.to_calendar_date();
        let data = json!({
            "number": self.number, "key": self.fingerprint, "made": self.made(), "lines": lines,
            "year": year, "month": u8::from(month), "day": day,
        });
        document(PAGE, &data, &format!("{} {}", self.fingerprint, self.number))
    }
}
