//! What can be wrong with a row: a place and a stable code, never the value.

use serde::Serialize;

/// One wrong field of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// Column, `own` for one of the list's own, or `row`.
    pub column: &'static str,
    /// Stable code.
    pub code: &'static str,
}

const REMEDIES: &[(&str, &str)] = &[
    ("missing_reference", "give the person a reference that is theirs alone in this incident, such as a pay number"),
    ("reference_too_long", "shorten the reference to 128 characters"),
    ("missing_name", "give at least one name"),
    ("name_too_long", "shorten the name to 200 characters"),
    ("broken_text", "take the text from its source again: a program has lost characters of it"),
    ("invalid_phone", "write the number with its country code, such as +44 7400 123456, or leave it empty"),
    ("phone_takes_no_texts", "give a mobile number, an email address or a postal address: this number takes no text messages"),
    ("invalid_email", "write one plain address, such as ann@example.org, without a name around it, or leave it empty"),
    ("invalid_postcode", "correct the postcode, such as SW1A 1AA, or set the country"),
    ("missing_postcode", "give the postcode, or set the country if the address is abroad"),
    ("unknown_country", "write the two-letter country code, such as GB or IE"),
    ("bfpo_with_country", "leave the country empty: the post to British forces goes without one"),
    ("address_too_short", "give street and town, or leave the whole address empty"),
    ("address_too_long", "shorten the address to what fits an envelope: seven lines with the name"),
    ("no_way_to_reach", "give a phone number, an email address or a postal address"),
    ("no_fixed_abode", "give a mobile number, an email address or a care-of address: no letter can be sent to no fixed abode"),
    ("unknown_language", "write the language as in BCP 47, such as en, cy or pl"),
    ("unknown_format", "write one word, such as standard, large-print, braille, audio or easy-read"),
    ("unknown_jurisdiction", "write a country or a part of one by its ISO code, such as GB or GB-WLS"),
    ("not_a_number", "write digits in this column of the list's own, or map the column as text"),
    ("not_a_date", "write the day as 2026-11-09 in this column of the list's own, or map the column as text"),
    ("value_too_long", "shorten the cell of the list's own column to 200 characters"),
    ("not_utf8", "save the file as UTF-8 and correct this row"),
    ("wrong_cells", "give the row as many cells as the header"),
    ("row_too_long", "shorten the row to 64 KiB; a stray quote may have joined several rows"),
    ("stray_quote", "look for a stray quote: one cell has swallowed several lines"),
    (
        "duplicate_reference",
        "the reference stands elsewhere with other fields: correct it if they are two people, else discard this row",
    ),
    (
        "job_id_reused",
        "this job_id brought other fields before: take the row with `duly quarantine correct` if it is another person, else discard it",
    ),
    ("erased", "discard the row: this person was told and then erased, and is not told again; nothing of the row was kept"),
];

impl Fault {
    /// One sentence that tells the reader what to do.
    pub fn remedy(code: &str) -> &'static str {
        REMEDIES.iter().find(|(c, _)| *c == code).map_or("correct the field and import the row again", |(_, remedy)| remedy)
    }

    /// All codes that a row can have.
    pub fn codes() -> impl Iterator<Item = &'static str> {
        REMEDIES.iter().map(|(code, _)| *code)
    }
}
