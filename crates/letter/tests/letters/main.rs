//! Promises of a letter, checked on the PDF itself.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod facts;
mod fuzz;
mod given;
mod pdf;
mod refused;
mod same;
mod signed;
mod text;

#[test]
fn every_kind_of_letter_passes_every_check() {
    for (name, given) in given::kinds() {
        let typeset = given.typeset();
        assert!(typeset.is_ok(), "{name}: {:?}", typeset.err());
        // To look at them.
        if let Ok(folder) = std::env::var("LETTERS_DIR") {
            std::fs::write(format!("{folder}/{name}.pdf"), typeset.unwrap().pdf).unwrap();
        }
    }
}
