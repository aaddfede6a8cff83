//! Reconcile may be killed at any of its steps and run again.

use super::ground::{PEOPLE, come_back, duly, holds, killed_at, restore, serve_to_the_end, stage, told};
use crate::support::{Capability, Setup, Stage, lane};

/// Each step after which something is different.
const STEPS: [&str; 9] = [
    "restore_logs",
    "restore_people",
    "restore_brought_back",
    "restore_put_back",
    "restore_rows",
    "restore_imported",
    "restore_held",
    "restore_forgotten",
    "restore_marked",
];

/// What the database says of the incident, whoever brought it back and when.
async fn told_of(stage: &Stage) -> Vec<String> {
    stage
        .words(
            "select * from (
               select 'leaf ' || s.seq || ' ' || encode(e.leaf, 'hex') as line from event e join place s using (ord)
                where e.incident_no is not null and e.restored_id is not null
               union all select 'message ' || message_id || ' ' || state || ' ' || attempt || ' ' || coalesce(lane, '') from message
               union all select 'attempt ' || message_id || ' ' || attempt || ' ' || reference from attempt
               union all select 'holds ' || count(*) from hold
               union all select 'events ' || count(*) from event where incident_no is not null and kind <> 'restore.reconciled'
               union all select 'reconciled ' || (convert_from(body, 'UTF8')::jsonb -> 'd' ->> 'imported') from event
                where kind = 'restore.reconciled' and incident_no is not null) as told (line) order by line",
        )
        .await
}

#[tokio::test]
async fn a_reconciliation_that_is_killed_at_any_step_and_run_again_comes_to_the_same_end() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    let backup = come_back(&stage).await;
    duly(&stage, &["restore", "reconcile"]).fine();
    let expected = told_of(&stage).await;
    assert!(expected.iter().filter(|line| line.starts_with("leaf ")).count() > 30, "{expected:#?}");

    for step in STEPS {
        restore(&stage, &backup).await;
        killed_at(&stage, step).await;
        assert!(!duly(&stage, &["restore", "reconcile"]).fine().out.contains("false"), "{step}");
        let found = told_of(&stage).await;
        let differs: Vec<&String> = found.iter().filter(|line| !expected.contains(line)).collect();
        assert!(differs.is_empty() && found.len() == expected.len(), "{step}: {differs:#?}");
    }

    serve_to_the_end(&stage).await;
    assert_eq!(told(&stage), PEOPLE as usize);
    holds(&stage).await;
}
