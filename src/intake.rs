//! Lists and jobs become people, quarantined rows and repeats; nothing is lost and nothing is taken twice.

pub mod copies;
pub mod correction;
pub mod csv;
pub mod dry_run;
pub mod job;
pub mod list;
pub mod rows;
