//! The report for people: what was checked, what holds, what does not, and what nobody could see here.

use super::report::{FailedAudit, RFC_3161, Report, Verdict};
use super::states::Word;
use crate::hash::to_hex;
use std::fmt;

/// People without an end state that stand in the text.
const OPEN_PRINTED_MAX: usize = 20;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.verdict {
            Verdict::Good => writeln!(f, "GOOD: everything that was checked holds.")?,
            Verdict::Bad => writeln!(f, "BAD: {} finding(s).", self.findings.total())?,
            Verdict::TooOld => writeln!(f, "NOT CHECKED: this verifier is too old for the format of this pack.")?,
            Verdict::Unchecked(why) => writeln!(f, "NOT CHECKED: {why}.")?,
        }
        self.findings_text(f)?;
        if self.origin.is_empty() {
            return Ok(());
        }
        self.list(f, "Not live", &self.rehearsal.lines())?;
        writeln!(f, "\nLog         {}\nSize        {} events, generation {}", self.origin, self.size, self.generations)?;
        writeln!(f, "Root        {}", to_hex(&self.root))?;
        if let Some(newest) = &self.newest_event {
            writeln!(f, "Newest      {newest} (claimed)")?;
        }
        // Of a bad pack nothing else is vouched for: its other findings may hide some.
        let checked = if self.verdict == Verdict::Bad { "Looked at, without a finding" } else { "Checked" };
        self.list(f, checked, &self.checked)?;
        self.people_text(f)?;
        self.anchors_text(f)?;
        self.list(f, "Your list", &self.own_list)?;
        self.list(f, "Approved", &self.approvers)?;
        self.list(f, "Not certain", &self.counted.lines())?;
        self.list(f, "Failed audits of the sender's own tables", &self.failed_audits)?;
        self.list(f, "Not proved by this pack", &self.limits())
    }
}

impl fmt::Display for FailedAudit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "leaf {}", self.leaf)?;
        if self.generation > 1 {
            write!(f, " of generation {}", self.generation)?;
        }
        write!(f, ", {}: {} difference(s), {}", self.at, self.findings, self.codes)
    }
}

impl Report {
    fn list(&self, f: &mut fmt::Formatter<'_>, title: &str, lines: &[impl fmt::Display]) -> fmt::Result {
        if !lines.is_empty() {
            writeln!(f, "\n{title}")?;
        }
        lines.iter().try_for_each(|line| writeln!(f, "  {line}"))
    }

    fn findings_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for finding in &self.findings.kept {
            writeln!(f, "  {finding}")?;
        }
        let more = self.findings.total() - self.findings.kept.len() as u64;
        if more > 0 {
            writeln!(f, "  and {more} more")?;
        }
        if self.findings.follow.is_empty() {
            return Ok(());
        }
        let follow: Vec<String> = self.findings.follow.iter().map(|(code, n)| format!("{} {n}", code.as_str())).collect();
        writeln!(f, "  Not told, as it may follow from these: {}. `--all` tells it.", follow.join(", "))
    }

    fn people_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let e = &self.equation;
        writeln!(f, "\nPeople")?;
        writeln!(
            f,
            "  {} = {} notified + {} unreachable + {} exempt + {} withdrawn + {} open",
            e.people, e.notified, e.unreachable, e.exempt, e.withdrawn, e.open
        )?;
        for (channel, counts) in &self.channels {
            let count = |name| counts.get(name).copied().unwrap_or_default();
            writeln!(f, "  {channel}: {} call(s), {} message(s) accepted", count("claimed"), count("accepted"))?;
        }
        for (kind, count) in &self.events {
            writeln!(f, "  {kind}: {count}")?;
        }
        for person in self.open_people.iter().take(OPEN_PRINTED_MAX) {
            writeln!(f, "  p_{} has no end state", to_hex(person))?;
        }
        let more = e.open.saturating_sub(OPEN_PRINTED_MAX as u64);
        if more > 0 { writeln!(f, "  and {more} more, named in the report as JSON") } else { Ok(()) }
    }

    fn anchors_text(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.anchors.is_empty() {
            writeln!(f, "\nAnchors")?;
        }
        for anchor in &self.anchors {
            match &anchor.command {
                Some(command) => writeln!(
                    f,
                    "  size {}: a token names {} and is over exactly this checkpoint; token signature NOT checked here:\n    {command}",
                    anchor.size, anchor.at
                )?,
                None if anchor.by == RFC_3161 => writeln!(f, "  size {}: time-stamped at {} (RFC 3161)", anchor.size, anchor.at)?,
                None => writeln!(f, "  size {}: cosigned by {} at {}", anchor.size, anchor.by, anchor.at)?,
            }
        }
        Ok(())
    }
}
