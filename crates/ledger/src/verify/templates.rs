//! What a plan's templates declare in their first line: whether they say everything, or only alert.

use super::pack::{Pack, PackError};
use super::plans::PlanFiles;
use super::states::Channel;
use super::{TEXT_MAX, Word};
use crate::hash::from_hex;
use serde_json::Value;
use std::collections::{BTreeMap, HashMap};
use std::io::{Read, Seek};

/// What messages of a channel may say; anything where no template tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Says {
    full: bool,
    alert: bool,
}

impl Says {
    /// Whether a message may be what a row of a `closing` table speaks of.
    pub fn may_be(self, content: Option<&str>) -> bool {
        match content {
            _ if !self.full && !self.alert => true,
            Some("full") => self.full,
            Some("alert") => self.alert,
            _ => true,
        }
    }
}

/// A template by its first line: `{{!-- content = full; title = … --}}`. Letters and emails have a title.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Declared {
    is_alert: bool,
    is_document: bool,
}

/// Reads what the templates of each plan declare. One that cannot be read so says nothing of its plan's channels.
pub fn load<R: Read + Seek>(pack: &mut Pack<R>, plans: &mut BTreeMap<u64, PlanFiles>) -> Result<(), PackError> {
    let mut declared = HashMap::new();
    for name in pack.names().into_iter().filter(|name| name.starts_with("texts/") && name.ends_with(".hbs")) {
        let Some(hash) = name.strip_prefix("texts/").and_then(|n| n.strip_suffix(".hbs")).and_then(from_hex::<32>) else {
            continue;
        };
        let bytes = pack.read(&name, TEXT_MAX)?.unwrap_or_default();
        let line = bytes.split(|byte| *byte == b'\n').next().and_then(|line| std::str::from_utf8(line).ok());
        declared.insert(hash, line.and_then(declaration));
    }
    for files in plans.values_mut() {
        let named = files.body.get("templates").and_then(Value::as_array).into_iter().flatten();
        let of_plan: Option<Vec<Declared>> = named
            .map(|hash| hash.as_str().and_then(from_hex::<32>).and_then(|hash| declared.get(&hash).copied().flatten()))
            .collect();
        for template in of_plan.unwrap_or_default() {
            let of = Channel::ALL.iter().zip(&mut files.says);
            for (_, says) in of.filter(|(channel, _)| (**channel != Channel::Sms) == template.is_document) {
                (says.full, says.alert) = (says.full || !template.is_alert, says.alert || template.is_alert);
            }
        }
    }
    Ok(())
}

fn declaration(line: &str) -> Option<Declared> {
    let inner = line.trim().strip_prefix("{{!--")?.strip_suffix("--}}")?;
    let (mut is_alert, mut is_document) = (None, false);
    for pair in inner.split(';') {
        let (name, value) = pair.split_once('=')?;
        match (name.trim(), value.trim()) {
            ("content", "full") => is_alert = Some(false),
            ("content", "alert") => is_alert = Some(true),
            (name, _) if name == "title" || name.starts_with("title.") => is_document = true,
            _ => return None,
        }
    }
    Some(Declared { is_alert: is_alert?, is_document })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_says_in_its_first_line_what_it_is() {
        let declares = |is_alert, is_document| Some(Declared { is_alert, is_document });
        assert_eq!(declaration("{{!-- content = alert --}}"), declares(true, false));
        assert_eq!(declaration("{{!-- content = full; title.cy = Eich data; title.en = Your data --}}"), declares(false, true));
        for other in [
            "Dear reader",
            "{{!-- content = everything --}}",
            "{{!-- title = Your data --}}",
            "{{!-- content = full; by = me --}}",
        ] {
            assert_eq!(declaration(other), None, "{other}");
        }
    }
}
