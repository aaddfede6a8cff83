//! What a controller signs of a frozen list with a key of its own, and the file that carries the signature here.

use super::user_key::{UserKey, verify};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

const HEAD: &str = "duly/list/v1";

/// Why a statement or a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ListKeyError {
    /// The text is no statement.
    #[error("the file is not the statement of a list")]
    NotAStatement,
    /// The file is no signature.
    #[error("the file is not the signature of a list")]
    NotASignature,
    /// The signature does not hold.
    #[error("the signature does not fit the statement and the key in its file")]
    DoesNotFit,
}

impl ListKeyError {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        match self {
            Self::NotAStatement => "take the file that `duly list statement` wrote, unchanged to its last line end",
            Self::NotASignature => "take the file that `duly list sign --statement` wrote",
            Self::DoesNotFit => "sign the statement again: one of them was altered on its way",
        }
    }
}

/// A frozen list as it is signed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListStatement {
    /// Name of the incident in evidence.
    pub incident_id: Uuid,
    /// List within the incident.
    pub list_no: i32,
    /// People of its manifest.
    pub people: i64,
    /// Root of its manifest.
    pub root: [u8; 32],
}

impl ListStatement {
    /// The exact ASCII text that is signed: docs/evidence-format.md, Lists' signatures.
    pub fn text(&self) -> String {
        format!("{HEAD}\n{}\n{}\n{}\n{}\n", self.incident_id.hyphenated(), self.list_no, self.people, hex::encode(self.root))
    }

    /// Reads that text, and refuses every other spelling of it.
    pub fn parse(text: &str) -> Result<Self, ListKeyError> {
        let lines: Vec<&str> = text.lines().collect();
        let [HEAD, incident, list, people, root] = lines.as_slice() else { return Err(ListKeyError::NotAStatement) };
        let read = || {
            let mut bytes = [0; 32];
            hex::decode_to_slice(root, &mut bytes).ok()?;
            let incident_id = Uuid::try_parse(incident).ok()?;
            Some(Self { incident_id, list_no: list.parse().ok()?, people: people.parse().ok()?, root: bytes })
        };
        read().filter(|statement| statement.text() == text).ok_or(ListKeyError::NotAStatement)
    }
}

/// A signature on its way from the key to the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedList {
    /// What was signed.
    pub statement: ListStatement,
    /// Ed25519 public key.
    pub key: [u8; 32],
    /// Over the statement's text.
    pub signature: [u8; 64],
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct SignatureFile {
    statement: String,
    key: String,
    signature: String,
}

impl SignedList {
    /// Signs.
    pub fn sign(statement: ListStatement, key: &UserKey) -> Self {
        let signature = key.sign(statement.text().as_bytes());
        Self { statement, key: key.public(), signature }
    }

    /// The file.
    pub fn to_file(&self) -> String {
        let file = SignatureFile {
            statement: self.statement.text(),
            key: hex::encode(self.key),
            signature: hex::encode(self.signature),
        };
        serde_json::to_string_pretty(&file).unwrap_or_default() + "\n"
    }

    /// Reads the file; only a signature that holds comes out of it.
    pub fn read(text: &str) -> Result<Self, ListKeyError> {
        let file: SignatureFile = serde_json::from_str(text).map_err(|_| ListKeyError::NotASignature)?;
        let (mut key, mut signature) = ([0; 32], [0; 64]);
        hex::decode_to_slice(&file.key, &mut key).map_err(|_| ListKeyError::NotASignature)?;
        hex::decode_to_slice(&file.signature, &mut signature).map_err(|_| ListKeyError::NotASignature)?;
        if !verify(&key, file.statement.as_bytes(), &signature) {
            return Err(ListKeyError::DoesNotFit);
        }
        Ok(Self { statement: ListStatement::parse(&file.statement)?, key, signature })
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn statement() -> ListStatement {
        let incident_id = Uuid::parse_str("019355a0-0000-7000-8000-000000000002").unwrap();
        ListStatement { incident_id, list_no: 1, people: 4854, root: [0xaa; 32] }
    }

    #[test]
    fn the_text_is_that_of_the_published_format_and_reads_back_in_one_spelling_only() {
        let text = format!("duly/list/v1\n019355a0-0000-7000-8000-000000000002\n1\n4854\n{}\n", "aa".repeat(32));
        assert_eq!(statement().text(), text);
        assert_eq!(ListStatement::parse(&text), Ok(statement()));
        for other in [text.trim_end(), &text.replace("4854", "04854"), &text.replace("aa", "AA"), &text.replace('\n', "\r\n")] {
            assert_eq!(ListStatement::parse(other), Err(ListKeyError::NotAStatement), "{other:?}");
        }
    }

    #[test]
    fn a_signature_travels_in_its_file_and_an_altered_one_is_refused() {
        let signed = SignedList::sign(statement(), &UserKey::generate("Northmere"));
        let file = signed.to_file();
        assert_eq!(SignedList::read(&file), Ok(signed.clone()));

        let other_key = SignedList { key: UserKey::generate("Mallory").public(), ..signed.clone() };
        for altered in [file.replace("4854", "4853"), other_key.to_file()] {
            assert_eq!(SignedList::read(&altered), Err(ListKeyError::DoesNotFit));
        }
        assert_eq!(SignedList::read("{}"), Err(ListKeyError::NotASignature));
        let command = UserKey::generate("Ann");
        let no_list = SignatureFile {
            statement: "{}".into(),
            key: hex::encode(command.public()),
            signature: hex::encode(command.sign(b"{}")),
        };
        assert_eq!(SignedList::read(&serde_json::to_string(&no_list).unwrap()), Err(ListKeyError::NotAStatement));
    }
}
