//! Checks of all invariants by queries that share nothing with the rest of the store, on one snapshot, so that a run
//! may go on meanwhile.
//!
//! `audit` needs no key. `audit_sealed` opens what is sealed and says what the providers' own records must show;
//! `record::compare` holds such a record against it.

mod approvals;
mod chains;
mod close;
mod columns;
mod commands;
mod compared;
mod conjunction;
mod decisions;
mod fates;
mod generations;
mod guards;
mod holds;
mod incident;
mod installation;
mod let_go;
mod list_keys;
mod log;
mod log_keys;
mod named;
mod people;
pub mod record;
mod refusals;
mod remedies;
mod rows;
mod schema;
mod sealed;
mod sealing_keys;
mod sends;
mod shapes;
mod stops;
mod terms;
mod times;
mod users;

use super::unit::IncidentKey;
use super::{Store, StoreError};
use crate::model::causes::with_causes;
use crate::model::seal::Key;
pub use remedies::CODES;
pub use sealed::{ReadRequest, Sealed};
use sqlx::{Postgres, Transaction};

/// One difference between what must hold and what is.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Finding {
    /// Stable code; one of `CODES`.
    pub code: &'static str,
    /// Person, message or count concerned; never personal data.
    pub place: String,
}

impl Finding {
    /// One sentence that tells the reader what to do next.
    pub fn remedy(&self) -> &'static str {
        CODES.iter().find(|(code, _)| *code == self.code).map_or(
            "run `duly audit --json` again with the newest Duly: this code is not one of this program's",
            |(_, remedy)| remedy,
        )
    }
}

fn finding(code: &'static str, place: String) -> Finding {
    Finding { code, place }
}

/// A finding by a query; its words are codes, as a test shows.
fn found(word: &str, place: String) -> Result<Finding, StoreError> {
    let code = CODES.iter().map(|(code, _)| *code).find(|code| *code == word);
    code.map(|code| finding(code, place)).ok_or(StoreError::Corrupt { what: "finding" })
}

/// The code of a check that could not be made.
pub const NOT_AUDITABLE: &str = "not_auditable";

/// The findings of checks, one after the other, whatever becomes of one of them.
macro_rules! each_check {
    ($snapshot:ident, $($check:ident($($argument:expr),*)),+) => {{
        let mut findings = Vec::new();
        $(
            let found = $snapshot.$check($($argument),*).await;
            findings.extend($snapshot.settle(stringify!($check), found).await?);
        )+
        findings
    }};
}

/// Everything as it was at one moment, while the run goes on.
struct Snapshot {
    tx: Transaction<'static, Postgres>,
}

impl Store {
    /// Checks an incident and returns every finding; none means that all of it holds.
    pub async fn audit(&self, incident: IncidentKey) -> Result<Vec<Finding>, StoreError> {
        let mut snapshot = self.snapshot().await?;
        Ok(each_check!(
            snapshot,
            audit_rows(incident),
            audit_lists(incident),
            audit_fates(incident),
            audit_plans(incident),
            audit_named(incident),
            audit_incident(incident),
            audit_commands(incident),
            audit_guards(),
            audit_standstill(),
            audit_statements(),
            audit_users(),
            audit_holds(incident),
            audit_close(incident),
            audit_terms(incident, self.deadlines),
            audit_refusals(incident, self.deadlines),
            audit_stops(incident),
            audit_sends(incident),
            audit_statements_compared(incident),
            audit_columns(incident),
            audit_times(incident),
            audit_people(incident),
            audit_generations(incident),
            audit_log(incident),
            audit_shapes(incident),
            audit_log_keys(incident),
            audit_installation(incident),
            audit_list_keys(incident)
        ))
    }

    /// Opens every contact and every frozen request of an incident and checks them against commitments and events.
    /// An erased person is left out: nobody can open anything of theirs.
    pub async fn audit_sealed(&self, incident: IncidentKey, master: &Key, read: ReadRequest<'_>) -> Result<Sealed, StoreError> {
        self.snapshot().await?.audit_sealed(incident, master, read).await
    }

    async fn snapshot(&self) -> Result<Snapshot, StoreError> {
        let mut tx = self.pool.begin_with("begin isolation level repeatable read read only").await?;
        // Questions about everybody at once: here the planner may read whole tables and join them as it likes.
        sqlx::raw_sql("set local enable_seqscan = on; set local enable_hashjoin = on; set local enable_mergejoin = on")
            .execute(&mut *tx)
            .await?;
        sqlx::raw_sql("savepoint before_check").execute(&mut *tx).await?;
        Ok(Snapshot { tx })
    }
}

impl Snapshot {
    /// What a check found. One that cannot read what is stored is named instead, and the others go on on the same snapshot.
    async fn settle(&mut self, check: &str, found: Result<Vec<Finding>, StoreError>) -> Result<Vec<Finding>, StoreError> {
        let error = match found {
            Err(error) if error.is_refusal() => error,
            found => return found,
        };
        sqlx::raw_sql("rollback to savepoint before_check").execute(&mut *self.tx).await?;
        Ok(vec![finding(NOT_AUDITABLE, format!("check `{}`: {}", check.trim_start_matches("audit_"), with_causes(&error)))])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_one_remedy_that_says_what_to_do() {
        for (code, remedy) in CODES {
            let found = Finding { code, place: String::new() };
            assert_eq!(found.remedy(), *remedy);
            assert!(remedy.len() > 20 && !remedy.ends_with('.'), "{code}");
            // Whoever reads it knows what to type, or whom to go to.
            assert!(["`duly ", "whoever runs", "ask the provider"].iter().any(|way| remedy.contains(way)), "{code}: {remedy}");
            assert_eq!(CODES.iter().filter(|(other, _)| other == code).count(), 1, "{code} twice");
        }
    }

    #[test]
    fn every_word_of_a_query_is_a_code() {
        for source in [
            include_str!("audit/rows.rs"),
            include_str!("audit/sends.rs"),
            include_str!("audit/approvals.rs"),
            include_str!("audit/columns.rs"),
            include_str!("audit/terms.rs"),
            include_str!("audit/fates.rs"),
            include_str!("audit/times.rs"),
            include_str!("audit/generations.rs"),
            include_str!("audit/installation.rs"),
            include_str!("audit/named.rs"),
            include_str!("audit/shapes.rs"),
            include_str!("audit/stops.rs"),
            include_str!("audit/compared.rs"),
        ] {
            let words: Vec<&str> =
                source.split("select '").skip(1).filter_map(|rest| rest.split_once("' as code")).map(|(word, _)| word).collect();
            assert!(!words.is_empty());
            for word in words {
                assert!(CODES.iter().any(|(code, _)| *code == word), "{word}");
            }
        }
    }
}
