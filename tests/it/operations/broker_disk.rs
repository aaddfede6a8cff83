//! The broker's disk: nothing of anybody lies there to be read, although all that was asked of the broker does.

use super::until;
use crate::cli::desk::Desk;
use crate::support::{broker_folder, skipped};
use lapin::BasicProperties;
use lapin::options::BasicPublishOptions;
use std::path::{Path, PathBuf};

/// Somebody who comes as a job and is told: nobody else, in no other run, has any of this.
pub struct Newcomer {
    /// What shows of them wherever it leaks to.
    pub marks: Vec<String>,
    /// Their row.
    pub row: String,
}

impl Newcomer {
    pub fn new() -> Self {
        let id = uuid::Uuid::now_v7();
        // The end of it is random.
        let letters: String = id.simple().to_string().bytes().rev().take(12).map(|b| char::from(b'a' + b % 26)).collect();
        let (first, last, street) = (format!("Tirion{letters}"), format!("Quill{letters}"), format!("Feather{letters}"));
        let (reference, number) = (format!("CANARY-{}", id.simple()), format!("{:06}", id.as_u128() % 1_000_000));
        let row = format!(
            "external_reference,first_name,last_name,phone,address_1,town,postcode\n{reference},{first},{last},07400 {number},9 {street} Lane,Leeds,LS1 4AB\n"
        );
        let marks = vec![reference, first, last, street, format!("7400{number}"), format!("7400 {number}")];
        Self { marks, row }
    }
}

/// The first of these words that stands in a file below a folder, and where; how many bytes were read.
fn find(folder: &Path, marks: &[&str]) -> (Option<(String, PathBuf)>, usize) {
    let (mut folders, mut read) = (vec![folder.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            // The broker turns its files over meanwhile.
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() {
                folders.push(entry.path());
            } else if let Ok(bytes) = std::fs::read(entry.path()) {
                read += bytes.len();
                let text = String::from_utf8_lossy(&bytes);
                if let Some(mark) = marks.iter().find(|mark| text.contains(**mark)) {
                    return (Some(((*mark).to_owned(), entry.path())), read);
                }
            }
        }
    }
    (None, read)
}

/// Looks through the files of a broker on this machine for these words.
pub async fn nothing_lies_readable_at_the_broker(desk: &Desk, marks: &[&str]) {
    let Some(folder) = broker_folder().await else {
        skipped("the broker's disk was not looked at, it is not on this machine");
        return;
    };
    let (leak, read) = find(&folder, marks);
    assert!(leak.is_none() && read > 0, "{leak:?}");

    // What is published in clear is found by the same search: it is no search that finds nothing.
    let control = format!("in-clear-{}", uuid::Uuid::now_v7().simple());
    let url = desk.variables.iter().rev().find(|(name, _)| name == "DULY_BROKER__URL").map(|(_, url)| url.clone());
    let (_connection, channel) = duly::broker::connect(&url.unwrap()).await.unwrap();
    duly::broker::declare(&channel, "control").await.unwrap();
    let kept = BasicProperties::default().with_delivery_mode(2);
    let to = duly::broker::queue_of("control");
    let body = format!("{{\"surname\":\"{control}\"}}");
    channel.basic_publish("".into(), to.as_str().into(), BasicPublishOptions::default(), body.as_bytes(), kept).await.unwrap();
    until(async || find(&folder, &[control.as_str()]).0, Option::is_some).await;
}
