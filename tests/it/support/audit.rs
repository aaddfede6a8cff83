//! The audit of a whole run: what Duly says of itself, and the sandbox's own record beside it.

use super::stage::Stage;
use super::world::deadlines;
use duly::provider::read_request;
use duly::store::Store;
use duly::store::audit::Finding;
use duly::store::audit::record::{Mark, Produced, SendKey, compare};
use duly_sandbox::{Face, Physical};
use sqlx::Row;
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

impl Stage {
    /// Panics unless everything holds.
    pub async fn audit(&self) {
        let findings = self.findings().await;
        assert!(findings.is_empty(), "{findings:#?}");
    }

    /// Codes of every difference between what must hold and what is.
    pub async fn findings(&self) -> BTreeSet<String> {
        // A connection of its own: the test may have broken all others.
        let store = Store::connect(&self.database.url, 1, deadlines()).await.unwrap();
        let (mut found, mut sends, mut balances) = (Vec::new(), Vec::new(), true);
        for incident in [&self.incident].into_iter().chain(&self.others) {
            found.extend(store.audit(incident.key).await.unwrap());
            let sealed = store.audit_sealed(incident.key, &self.office.master, &|_, frozen| read_request(frozen)).await.unwrap();
            found.extend(sealed.findings);
            sends.extend(sealed.sends);
            balances &= store.equation(incident.key).await.unwrap().holds();
        }
        let config = self.sandbox.state.config();
        // Lob's fields say what stands in an address, and not how its lines stood.
        let has_fields = config.providers.values().any(|of| of.face == Face::Lob);
        let sends: Vec<SendKey> = sends.into_iter().map(|send| if has_fields { in_words(send) } else { send }).collect();
        let is_in_fields = |made: &Physical| config.providers.get(&made.provider).is_some_and(|of| of.face == Face::Lob);
        let shown = |made: Physical| {
            let destination = if is_in_fields(&made) { bare(&made.destination) } else { made.destination.clone() };
            produced(Physical { destination, ..made })
        };
        let record: Vec<Produced> = self.sandbox.state.record().into_iter().map(shown).collect();
        found.extend(compare(&sends, &record));
        let found = but_for_the_clock(found);
        let mut codes: BTreeSet<String> = found.iter().map(|finding| finding.code.to_owned()).collect();
        if !balances {
            codes.insert("equation_does_not_hold".into());
        }
        if self.has_more_requests_than_attempts().await {
            codes.insert("more_requests_than_attempts".into());
        }
        codes
    }

    /// No attempt may make more than one request: nothing in the HTTP client tries again by itself.
    async fn has_more_requests_than_attempts(&self) -> bool {
        // Of a call that a restored database forgot it knows only under which name it would have been made.
        let rows = sqlx::query(
            "select lane || ' ' || reference as name, count(*) as n from attempt group by 1
             union all select m.lane || ' ' || r.reference, 1 from restored_call r join message m using (message_id)
              where not exists (select from attempt a where a.reference = r.reference)",
        )
        .fetch_all(&self.owner)
        .await;
        let attempts: BTreeMap<String, i64> = rows.unwrap().iter().map(|row| (row.get("name"), row.get("n"))).collect();
        let requests = self.sandbox.state.requests();
        requests.iter().any(|(name, n)| i64::from(*n) > attempts.get(name).copied().unwrap_or(0))
    }

    /// Physical messages, as the sandbox counts them.
    pub fn produced(&self) -> usize {
        self.sandbox.state.record().len()
    }

    /// Codes of all alarms, in order; but of late evidence, as whoever moves the clock makes what waits look old.
    pub async fn alarms(&self) -> Vec<String> {
        self.words("select code from alarm where code <> 'evidence_late' order by alarm_id").await
    }

    /// Attempts of one message.
    pub async fn attempts(&self, message_id: Uuid) -> i64 {
        sqlx::query_scalar("select count(*) from attempt where message_id = $1")
            .bind(message_id)
            .fetch_one(&self.owner)
            .await
            .unwrap()
    }
}

fn in_words(send: SendKey) -> SendKey {
    match send.mark {
        Mark::Carries { destination, content_sha256 } => {
            SendKey { mark: Mark::Carries { destination: bare(&destination), content_sha256 }, ..send }
        }
        mark => SendKey { mark, ..send },
    }
}

/// The words of an American address, without its lines and its country.
fn bare(address: &str) -> String {
    let words: Vec<&str> = address.split([' ', ',', '\n']).filter(|word| !word.is_empty()).collect();
    words.join(" ").trim_end_matches("UNITED STATES OF AMERICA").trim_end().to_owned()
}

/// Tests move the database's clock, and the audit finds them out.
pub fn but_for_the_clock(mut found: Vec<Finding>) -> Vec<Finding> {
    found.retain(|finding| finding.code != "clock_differs");
    found
}

/// A physical message as its record shows it.
pub fn produced(physical: Physical) -> Produced {
    let Physical { provider: account, channel, destination, content_sha256, reference } = physical;
    Produced { account, reference, channel, destination, content_sha256 }
}
