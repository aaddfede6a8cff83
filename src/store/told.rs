//! What providers answer beside where a message stands: prices, counts, differences, words that nobody knows.

use super::metrics::Labelled;
use super::unit::IncidentKey;
use super::{Store, StoreError};
use uuid::Uuid;

/// Longest word that is kept, characters.
const WORD_MAX: usize = 200;

/// What the answer to one question tells.
#[derive(Debug, Clone, Copy, Default)]
pub struct Told<'a> {
    /// The price: thousandths of the minor unit, and the currency.
    pub cost: Option<(u64, &'a str)>,
    /// The provider's word, where no table knows it.
    pub unknown_word: Option<&'a str>,
    /// Segments or sheets by the provider's count.
    pub parts: Option<u32>,
    /// What it shows otherwise than it was given, the code of an alarm; empty: nothing; `None`: not compared.
    pub differs: Option<&'a str>,
}

impl Told<'_> {
    /// Whether there is anything to keep.
    pub fn is_something(&self) -> bool {
        self.cost.is_some() || self.unknown_word.is_some() || self.parts.is_some() || self.differs.is_some()
    }
}

/// What of a message was held against what its provider shows.
#[derive(Debug, Clone, Copy)]
pub struct Compared {
    /// What it took, in the answer to the call or later.
    pub is_compared: bool,
    /// Its count.
    pub is_counted: bool,
}

/// What one lane's messages of one incident cost, as far as their provider told.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct LaneCost {
    /// Incident, as people name it.
    pub incident: String,
    /// Lane.
    pub lane: String,
    /// ISO 4217.
    pub currency: String,
    /// Thousandths of its minor unit.
    pub milli: i64,
    /// Messages whose price is known.
    pub messages: i64,
}

impl Store {
    /// Keeps what the answer to a question told; a difference is an alarm, the first time.
    pub async fn record_told(&self, lookup_id: Uuid, told: &Told<'_>) -> Result<(), StoreError> {
        let word = told.unknown_word.map(|word| word.chars().filter(|c| !c.is_control()).take(WORD_MAX).collect::<String>());
        sqlx::query!(
            "with kept as (update lookup set cost_milli = $2, currency = $3, unknown_word = $4, parts = $5, differs = $6
                            where lookup_id = $1 returning controller_id, incident_no, message_id)
             insert into alarm (alarm_id, controller_id, incident_no, message_id, code)
             select $7, k.*, $6 from kept k
              where $6 <> '' and not exists (select from alarm a where a.message_id = k.message_id and a.code = $6)",
            lookup_id,
            told.cost.and_then(|(milli, _)| i64::try_from(milli).ok()),
            told.cost.map(|(_, currency)| currency),
            word,
            told.parts.and_then(|n| i32::try_from(n).ok()),
            told.differs,
            Uuid::now_v7()
        )
        .execute(&self.pool)
        .await?;
        Ok(())
    }

    /// Puts on record that a provider was asked to confirm a receipt of this message, by the number of its last call.
    pub async fn insert_confirmation(&self, incident: IncidentKey, message_id: Uuid) -> Result<Uuid, StoreError> {
        let lookup_id = Uuid::now_v7();
        sqlx::query!(
            "insert into lookup (lookup_id, controller_id, incident_no, message_id, attempt)
             select $1, a.controller_id, a.incident_no, a.message_id, max(a.attempt) from attempt a
              where a.controller_id = $2 and a.incident_no = $3 and a.message_id = $4 group by 2, 3, 4",
            lookup_id,
            incident.controller_id,
            incident.incident_no,
            message_id
        )
        .execute(&self.pool)
        .await?;
        Ok(lookup_id)
    }

    /// What of a message was compared by now.
    pub async fn load_compared(&self, incident: IncidentKey, message_id: Uuid) -> Result<Compared, StoreError> {
        let row = sqlx::query!(
            r#"select coalesce(bool_or(told.is_compared), false) as "is_compared!", coalesce(bool_or(told.is_counted), false) as "is_counted!"
                 from (select kind = 'accepted' as is_compared, parts is not null as is_counted from outcome
                        where controller_id = $1 and incident_no = $2 and message_id = $3
                       union all
                       select differs is not null, parts is not null from lookup where message_id = $3) told"#,
            incident.controller_id,
            incident.incident_no,
            message_id
        )
        .fetch_one(&self.pool)
        .await?;
        Ok(Compared { is_compared: row.is_compared, is_counted: row.is_counted })
    }

    /// What was spent, by incident and lane: of each message the newest price that its provider told, once.
    pub async fn list_costs(&self) -> Result<Vec<LaneCost>, StoreError> {
        let rows = sqlx::query_as!(
            LaneCost,
            r#"with told as (
                 select controller_id, incident_no, message_id, cost_milli, currency, at from outcome where cost_milli is not null
                 union all
                 select controller_id, incident_no, message_id, cost_milli, currency, sent_at from lookup where cost_milli is not null),
               newest as (select distinct on (message_id) * from told order by message_id, at desc)
               select i.slug as "incident!", m.lane as "lane!", n.currency as "currency!", sum(n.cost_milli)::bigint as "milli!", count(*) as "messages!"
                 from newest n
                 join message m on m.controller_id = n.controller_id and m.incident_no = n.incident_no and m.message_id = n.message_id
                 join incident i on i.controller_id = n.controller_id and i.incident_no = n.incident_no
                where m.lane is not null and n.currency is not null group by 1, 2, 3 order by 1, 2, 3"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows)
    }

    /// Words that no table knows, by lane: how many receipts said them, and of how many messages they were answered.
    pub async fn list_unknown_words(&self) -> Result<Vec<(String, String, i64)>, StoreError> {
        let rows = sqlx::query!(
            r#"select lane as "lane!", word as "word!", sum(n)::bigint as "n!"
                 from (select provider as lane, unknown_word as word, count(*) as n from receipt
                        where unknown_word is not null and verdict = 'verified' group by 1, 2
                       union all
                       select m.lane, l.unknown_word, count(distinct l.message_id) from lookup l
                         join message m on m.controller_id = l.controller_id and m.incident_no = l.incident_no and m.message_id = l.message_id
                        where l.unknown_word is not null and m.lane is not null group by 1, 2) said
                group by 1, 2 order by 1, 2 limit 100"#
        )
        .fetch_all(&self.pool)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.word, row.n)).collect())
    }

    /// How often words came that no table knows, by lane and by how they came: in a receipt, or as the answer to a question.
    pub async fn count_unknown_words(&self) -> Result<Vec<Labelled>, StoreError> {
        let mut moment = self.moment().await?;
        let rows = sqlx::query!(
            r#"select provider as "lane!", 'receipt' as "came!", count(*) as "n!" from receipt
                where unknown_word is not null and verdict = 'verified' group by 1
               union all
               select m.lane, 'answer', count(distinct l.message_id) from lookup l
                 join message m on m.controller_id = l.controller_id and m.incident_no = l.incident_no and m.message_id = l.message_id
                where l.unknown_word is not null and m.lane is not null group by 1 order by 1, 2"#
        )
        .fetch_all(&mut *moment)
        .await?;
        Ok(rows.into_iter().map(|row| (row.lane, row.came, row.n)).collect())
    }
}
