//! The audit of a whole run: what Duly says of itself, and the sandbox's own record beside it.

use super::stage::Stage;
use super::world::deadlines;
use duly::provider::read_request;
use duly::store::Store;
use duly::store::audit::Finding;
use duly::store::audit::record::{Produced, compare};
use duly_sandbox::Physical;
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
        let record: Vec<Produced> = self.sandbox.state.record().into_iter().map(produced).collect();
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

    /// Codes of all alarms, in order.
    pub async fn alarms(&self) -> Vec<String> {
        self.words("select code from alarm order by alarm_id").await
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
