//! Frozen lists: the manifest that each has, the controller's own signature, and the sum of their rows.

use super::lines::Columns;
use super::pack::{Pack, PackError};
use super::people::List;
use super::report::{Code, Finding, Findings};
use super::scan::Fact;
use super::world::World;
use crate::hash::{leaf_hash, to_hex};
use crate::key::verify_ed25519;
use crate::merkle::Frontier;
use std::collections::BTreeSet;
use std::io::{Read, Seek};

/// Most lists of a pack.
const LISTS_MAX: usize = 10_000;
/// Unsigned lists that a report names.
const UNSIGNED_NAMED_MAX: usize = 10;

/// Reads all manifests of a pack.
pub fn load<R: Read + Seek>(pack: &mut Pack<R>, findings: &mut Findings) -> Result<Vec<List>, PackError> {
    let mut lists = Vec::new();
    for name in pack.names() {
        let Some(number) = list_of(&name) else { continue };
        let mut lines = Columns::default();
        match pack.lines(&name, |line| lines.push(line)) {
            Ok(_) => {}
            Err(PackError::Hostile { what, .. }) => findings.push(Finding::new(Code::Manifest, what).file(&name)),
            Err(error) => return Err(error),
        }
        lists.push(List { number, lines, frozen: None });
        if lists.len() > LISTS_MAX {
            return Err(PackError::Hostile { file: None, what: "it has more than 10,000 manifests".into() });
        }
    }
    Ok(lists)
}

fn list_of(name: &str) -> Option<u64> {
    match name.strip_prefix("manifest.")?.strip_suffix("jsonl")? {
        "" => Some(1),
        rest => rest.strip_suffix('.')?.parse().ok().filter(|n: &u64| *n > 1 && file_of(*n) == name),
    }
}

/// Where the manifest of a list stands.
pub fn file_of(list: u64) -> String {
    if list == 1 { "manifest.jsonl".to_owned() } else { format!("manifest.{list}.jsonl") }
}

impl World {
    /// `list.frozen`: the manifest must be there, with this count and root.
    pub(super) fn list_frozen(&mut self, fact: &Fact) {
        let number = |name| fact.number(name).unwrap_or_default();
        let (count, root) = (number("count"), fact.hex::<32>("root").unwrap_or_default());
        let sum = count.saturating_add(number("duplicates")).saturating_add(number("quarantined"));
        self.frozen_rows.insert(number("list"), [number("rows"), count, number("duplicates")]);
        if number("rows") != sum {
            self.find(Code::Rows, format!("{} rows are not {sum} people, duplicates and quarantined rows", number("rows")));
        }
        let list = self.people.lists.iter_mut().find(|list| list.number == number("list"));
        let Some(list) = list else {
            if self.is_whole {
                self.find(Code::Manifest, format!("list {} has no manifest in the pack", number("list")));
            }
            self.frozen.push((number("list"), count, root));
            return;
        };
        let wrong = if list.frozen.is_some() {
            Some(format!("list {} was frozen before", list.number))
        } else if self.is_whole && (list.lines.count(), list.lines.root()) != (count, root) {
            Some(format!(
                "the manifest of list {} has {} lines and another count or root than was frozen",
                list.number,
                list.lines.count()
            ))
        } else {
            None
        };
        list.frozen = Some((count, root));
        self.frozen.push((number("list"), count, root));
        if let Some(text) = wrong {
            self.find(Code::Manifest, text);
        }
    }

    /// `list.amended`: what all frozen lists add up to, before the newest of them and with it.
    pub(super) fn list_amended(&mut self, fact: &Fact) {
        let (mut tree, mut people) = (Frontier::new(), 0u64);
        let mut before = (0, tree.root());
        for (_, count, root) in &self.frozen {
            before = (people, tree.root());
            tree.append(leaf_hash(root));
            people = people.saturating_add(*count);
        }
        let told = |count, root| fact.number(count).zip(fact.hex::<32>(root));
        let is_newest = self.frozen.last().is_some_and(|(list, ..)| Some(*list) == fact.number("list"));
        let holds = told("count", "root") == Some((people, tree.root())) && told("count_before", "root_before") == Some(before);
        if !is_newest || self.frozen.len() < 2 || !holds {
            self.find(Code::Manifest, "it tells of another count or root than the frozen lists add up to");
        }
    }

    /// `list.signed`: the controller's own signature over what was frozen.
    pub(super) fn list_signed(&mut self, fact: &Fact, inc: &str) {
        let number = |name| fact.number(name).unwrap_or_default();
        let (list, count) = (number("list"), number("count"));
        let root = fact.hex::<32>("root").unwrap_or_default();
        let text = format!("duly/list/v1\n{inc}\n{list}\n{count}\n{}\n", to_hex(&root));
        let holds = fact
            .hex::<32>("key")
            .zip(fact.hex::<64>("signature"))
            .is_some_and(|(key, signature)| verify_ed25519(&key, text.as_bytes(), &signature));
        if !holds {
            self.find(Code::ListSignature, format!("the signature of list {list} does not hold"));
        } else if !self.frozen.contains(&(list, count, root)) {
            self.find(Code::ListSignature, format!("what was signed of list {list} is another count or root than was frozen"));
        } else {
            self.signed_by(list, fact.hex("key").unwrap_or_default());
        }
    }

    /// Whoever makes a pack can make a key too: whose it is, only a reader who had it from the controller knows.
    fn signed_by(&mut self, list: u64, key: [u8; 32]) {
        let signed = format!("list {list} is signed by the key {}", to_hex(&key));
        if self.named_list_keys.is_empty() {
            self.signed_lists.push((list, format!("{signed}; compare it with the one that the controller gave you")));
        } else if self.named_list_keys.contains(&key) {
            self.signed_lists.push((list, format!("{signed}, which you named")));
        } else {
            self.find(Code::ListSignature, format!("{signed}, which is none that you named"));
        }
    }

    /// Why a reader who named list keys knows nothing by them of some list.
    pub(super) fn unsigned_lists(&self) -> Option<String> {
        let signed: BTreeSet<u64> = self.signed_lists.iter().map(|(list, _)| *list).collect();
        let unsigned = self.frozen.iter().map(|(list, ..)| *list).filter(|list| !signed.contains(list));
        let unsigned: Vec<String> = unsigned.take(UNSIGNED_NAMED_MAX).map(|list| list.to_string()).collect();
        match (self.named_list_keys.is_empty(), signed.is_empty(), unsigned.is_empty()) {
            (true, ..) | (_, false, true) => None,
            (_, true, _) => Some("no list is signed, so the list keys that you named checked nothing".to_owned()),
            _ => Some(format!("nobody signed list {}: of it the list keys that you named checked nothing", unsigned.join(", "))),
        }
    }

    /// At the end: manifests that no event froze.
    pub(super) fn finish_lists(&mut self) {
        let never: Vec<u64> = self.people.lists.iter().filter(|list| list.frozen.is_none()).map(|list| list.number).collect();
        for list in never {
            self.findings.push(Finding::new(Code::Manifest, format!("no event froze list {list}")).file(&file_of(list)));
        }
    }
}
