//! C2SP tlog-policy: which logs and witnesses a reader trusts, obtained from elsewhere than the pack.

use crate::key::{KeyKind, Vkey};
use crate::note::NoteError;
use std::collections::HashSet;

/// Why a text is no policy; lines are 1-based.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyError {
    /// Not one of the known lines, or a wrong number of words.
    #[error("line {0} of the policy is none that a policy may have")]
    Line(usize),
    /// Not a key that fits.
    #[error("line {line} of the policy names no usable key")]
    Key {
        /// Line.
        line: usize,
        /// What is wrong with it.
        source: NoteError,
    },
    /// A key or name that stood before.
    #[error("line {0} of the policy names a key or name a second time")]
    Repeated(usize),
    /// A name that was not defined above.
    #[error("line {line} of the policy speaks of `{name}`, which no line above defines")]
    Unknown {
        /// Line.
        line: usize,
        /// Name.
        name: String,
    },
    /// There must be exactly one.
    #[error("the policy has not exactly one `quorum` line")]
    Quorum,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Witness(Vkey),
    Group { least: usize, members: Vec<usize> },
}

/// Trusted logs, witnesses, and how many of these must have seen a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Policy {
    logs: Vec<Vkey>,
    rules: Vec<(String, Rule)>,
    quorum: Option<usize>,
}

impl Policy {
    /// Keys of logs.
    pub fn logs(&self) -> &[Vkey] {
        &self.logs
    }

    /// Names of witnesses in the policy, with their keys.
    pub fn witnesses(&self) -> impl Iterator<Item = (&str, &Vkey)> {
        self.rules.iter().filter_map(|(name, rule)| match rule {
            Rule::Witness(key) => Some((name.as_str(), key)),
            Rule::Group { .. } => None,
        })
    }

    /// Whether any witness must have seen a checkpoint.
    pub fn needs_witnesses(&self) -> bool {
        self.quorum.is_some()
    }

    /// Whether the witnesses with these keys suffice.
    pub fn is_satisfied(&self, has_cosigned: impl Fn(&Vkey) -> bool) -> bool {
        let mut seen: Vec<bool> = Vec::with_capacity(self.rules.len());
        for (_, rule) in &self.rules {
            // Members stand above their group.
            seen.push(match rule {
                Rule::Witness(key) => has_cosigned(key),
                Rule::Group { least, members } => members.iter().filter(|m| seen.get(**m) == Some(&true)).count() >= *least,
            });
        }
        self.quorum.is_none_or(|quorum| seen.get(quorum) == Some(&true))
    }

    /// Reads a policy file.
    pub fn parse(text: &str) -> Result<Self, PolicyError> {
        let mut reader = Reader::default();
        for (i, line) in text.split('\n').enumerate() {
            let words: Vec<&str> = line.split([' ', '\t']).filter(|word| !word.is_empty()).collect();
            if line.bytes().any(|b| b < b' ' && b != b'\t' || b == 0x7f) {
                return Err(PolicyError::Line(i + 1));
            }
            if words.first().is_some_and(|word| !word.starts_with('#')) {
                reader.line(i + 1, &words)?;
            }
        }
        if reader.has_quorum { Ok(reader.policy) } else { Err(PolicyError::Quorum) }
    }
}

#[derive(Default)]
struct Reader {
    policy: Policy,
    log_keys: HashSet<Vec<u8>>,
    witness_keys: HashSet<Vec<u8>>,
    members: HashSet<usize>,
    has_quorum: bool,
}

impl Reader {
    fn line(&mut self, line: usize, words: &[&str]) -> Result<(), PolicyError> {
        match *words {
            ["log", key] | ["log", key, _] => {
                let key = vkey(line, key, |kind| kind == KeyKind::Note)?;
                if !self.log_keys.insert(key.key().to_vec()) {
                    return Err(PolicyError::Repeated(line));
                }
                self.policy.logs.push(key);
            }
            ["witness", name, key] | ["witness", name, key, _] => {
                let key = vkey(line, key, |kind| kind != KeyKind::Note)?;
                if !self.witness_keys.insert(key.key().to_vec()) {
                    return Err(PolicyError::Repeated(line));
                }
                self.define(line, name, Rule::Witness(key))?;
            }
            ["group", name, least, ref members @ ..] if !members.is_empty() => {
                let members = members.iter().map(|member| self.member(line, member)).collect::<Result<Vec<_>, _>>()?;
                let least = match least {
                    "any" => Some(1),
                    "all" => Some(members.len()),
                    k => k.parse().ok().filter(|k| (1..=members.len()).contains(k) && !words[2].starts_with(['0', '+'])),
                };
                let least = least.ok_or(PolicyError::Line(line))?;
                self.define(line, name, Rule::Group { least, members })?;
            }
            ["quorum", name] => {
                if std::mem::replace(&mut self.has_quorum, true) {
                    return Err(PolicyError::Quorum);
                }
                self.policy.quorum = if name == "none" { None } else { Some(self.find(line, name)?) };
            }
            _ => return Err(PolicyError::Line(line)),
        }
        Ok(())
    }

    fn define(&mut self, line: usize, name: &str, rule: Rule) -> Result<(), PolicyError> {
        if name == "none" || self.find(line, name).is_ok() {
            return Err(PolicyError::Repeated(line));
        }
        self.policy.rules.push((name.to_owned(), rule));
        Ok(())
    }

    /// A name may be a member once, so that each witness counts in one way only.
    fn member(&mut self, line: usize, name: &str) -> Result<usize, PolicyError> {
        let found = self.find(line, name)?;
        if self.members.insert(found) { Ok(found) } else { Err(PolicyError::Repeated(line)) }
    }

    fn find(&self, line: usize, name: &str) -> Result<usize, PolicyError> {
        let found = self.policy.rules.iter().position(|(known, _)| known == name);
        found.ok_or_else(|| PolicyError::Unknown { line, name: name.to_owned() })
    }
}

fn vkey(line: usize, text: &str, fits: impl Fn(KeyKind) -> bool) -> Result<Vkey, PolicyError> {
    let key: Vkey = text.parse().map_err(|source| PolicyError::Key { line, source })?;
    if fits(key.kind()) { Ok(key) } else { Err(PolicyError::Key { line, source: NoteError::NoKey }) }
}
