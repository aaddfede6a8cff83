//! How a restore gives itself away, and what is refused before it is reconciled.

use super::ground::{
    come_back, connections_are_new, duly, dump, office, restore_inside, serve, serve_to_the_end, serve_until, stage,
};
use crate::support::{Capability, Services, Setup, Stage, eventually, lane};
use duly::cli::restore::{Ground, reconcile};
use duly::evidence::{Archive, high_water};
use duly::store::StoreError;

#[tokio::test]
async fn the_pulse_alone_gives_away_a_backup_that_was_read_into_the_same_database() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    serve_until(&stage, 10).await;
    let backup = dump(&stage);
    serve_to_the_end(&stage).await;
    restore_inside(&stage, &backup).await;

    let office = office(&stage).await;
    let mut early = serve(&stage);
    eventually("the restore is noticed", async || office.store.open_restore().await.is_ok_and(|found| found.is_some())).await;
    early.terminate().await;
    let ground = office.store.open_restore().await.unwrap().unwrap().ground;
    assert_eq!(ground, "pulse");
}

#[tokio::test]
async fn files_of_an_earlier_day_and_a_recovery_to_another_timeline_give_themselves_away() {
    let Some(services) = Services::start().await else { return };
    let stage = Stage::new(Setup { people: 3, services: Some(services), ..Setup::default() }).await;
    let services = stage.services.as_ref().unwrap();
    serve_to_the_end(&stage).await;
    services.keep_files().await;
    connections_are_new(&stage).await;
    // More than a start of Postgres writes by itself.
    sqlx::raw_sql("create table ballast as select generate_series(1, 200000) as n").execute(&stage.owner).await.unwrap();
    let beat = stage.count("select beat from pulse").await;
    let mut process = serve(&stage);
    eventually("the mark is set", async || stage.count("select beat from pulse").await > beat + 2).await;
    process.terminate().await;

    for (recovers, ground) in [(false, "position"), (true, "timeline")] {
        services.put_files_back(recovers).await;
        connections_are_new(&stage).await;
        let office = office(&stage).await;
        let archive = Archive::open(&office.settings, &office.store).unwrap();
        assert!(high_water::check(&archive.store, &archive.outside).await.unwrap());
        assert_eq!(office.store.open_restore().await.unwrap().unwrap().ground, ground);
        reconcile(&office, &archive, &stage.users.ann, Ground::default()).await.unwrap();
        assert!(!high_water::check(&archive.store, &archive.outside).await.unwrap());
    }
    stage.audit().await;
}

#[tokio::test]
async fn nobodys_chain_goes_on_before_the_published_log_is_here_again() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    let backup = come_back(&stage).await;
    let office = office(&stage).await;
    let person =
        sqlx::query_scalar("select person_id from message where state = 'ready' limit 1").fetch_one(&stage.owner).await.unwrap();

    // Nobody has noticed yet: what is written now stands where the published log has something else.
    stage.users.hold(&office.store, &stage.incident, Some(person)).await;
    duly(&stage, &["restore", "reconcile"]).refused(
        "this database has written events of people of whom the published log tells others",
        "restore the backup once more",
    );

    super::ground::restore(&stage, &backup).await;
    let office = super::ground::office(&stage).await;
    office.store.insert_restored("identity").await.unwrap();
    let by = stage
        .users
        .ann
        .sign(&office.store, &duly::model::statement::hold_set(stage.incident.incident_id, Some(person), "x"))
        .await
        .unwrap();
    let refused = office.store.set_hold(stage.incident.key, Some(person), "x", by).await.unwrap_err();
    assert!(matches!(refused, StoreError::Database(_)) && refused.remedy().contains("duly restore reconcile"), "{refused}");
    duly(&stage, &["restore", "reconcile"]).fine();
}

#[tokio::test]
async fn events_come_back_only_in_a_restore_and_only_a_signature_ends_one() {
    let stage = Stage::new(Setup { people: 1, ..Setup::default() }).await;
    let refused = async |attack: &'static str, code: &str| {
        let error = sqlx::raw_sql(attack).execute(&stage.owner).await.unwrap_err();
        assert_eq!(error.into_database_error().unwrap().code().as_deref(), Some(code), "{attack}");
    };
    let back = "insert into event (controller_id, incident_no, kind, restored_id, body, leaf)
        select controller_id, incident_no, kind, gen_random_uuid(), body, leaf from event where kind = 'list.frozen'";
    refused(back, "DU070").await;
    stage.office.store.insert_restored("pulse").await.unwrap();
    refused(back, "DU070").await;
    refused(
        "update restored set reconciled_at = now(), command_id = (select min(command_id::text)::uuid from signed_command)",
        "DU072",
    )
    .await;
}

#[tokio::test]
async fn a_copy_that_cannot_be_read_is_refused_or_followed_by_a_generation_that_says_so() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back(&stage).await;
    let log =
        std::path::Path::new(&stage.office.settings.evidence.outside).join(format!("duly.test/{}", stage.incident.incident_id));
    std::fs::remove_dir_all(log.join("tile/entries")).unwrap();

    duly(&stage, &["restore", "reconcile"]).refused(
        &format!("the copy outside of the log `duly.test/{}` cannot be read: a bundle is missing", stage.incident.incident_id),
        "--new-generation",
    );
    let done = duly(&stage, &["restore", "reconcile", "--new-generation", "--json"]).fine().json();
    assert_eq!(done["unreadable"], serde_json::json!([format!("duly.test/{}", stage.incident.incident_id)]));

    serve_to_the_end_held(&stage).await;
    let opened = stage
        .words("select convert_from(body, 'UTF8') from event where kind = 'log.opened' and incident_no is not null order by ord")
        .await;
    assert_eq!(opened.len(), 2);
    assert!(opened[1].contains("\"from_size\":") && opened[1].contains("\"reason\":\"restored\""), "{}", opened[1]);
}

/// Everything that is still possible under a hold of the whole incident: what may have left is found.
async fn serve_to_the_end_held(stage: &Stage) {
    let mut process = serve(stage);
    eventually("all that left is found", async || {
        stage.count("select count(*) from message where state in ('unknown', 'sending')").await == 0
    })
    .await;
    process.terminate().await;
    crate::told::sequence(stage).await;
    assert_eq!(super::ground::told(stage), super::ground::PEOPLE as usize);
    assert_eq!(
        stage.count("select count(*) from hold where person_id is null and lifted_at is null and reason = 'restored'").await,
        1
    );
}

#[tokio::test]
async fn a_new_installation_beside_the_logs_of_another_has_forgotten_nothing_and_is_refused() {
    let theirs = Stage::new(Setup { people: 1, ..Setup::default() }).await;
    let ours = Stage::new(Setup { people: 1, ..Setup::default() }).await;
    // Databases of tests are copies of one, and so is their name.
    let renamed = "set local session_replication_role = replica; update installation set installation_id = gen_random_uuid()";
    sqlx::raw_sql(renamed).execute(&ours.owner).await.unwrap();
    let outside = Archive::open(&theirs.office.settings, &theirs.office.store).unwrap().outside;
    assert!(!high_water::keep(&theirs.office.store, &outside).await.unwrap());

    let refused = high_water::check(&ours.office.store, &outside).await.unwrap_err();

    assert!(refused.to_string().contains("another installation"), "{refused}");
    assert!(refused.remedy().contains("a place of its own"), "{}", refused.remedy());
    assert!(ours.office.store.open_restore().await.unwrap().is_none(), "nothing is stopped, nothing is brought back");
}

/// A pack of the older state would bear a good signature and lack what was done since.
#[tokio::test]
async fn packs_and_reports_are_refused_until_a_restore_is_reconciled_whether_or_not_anybody_has_noticed_it() {
    let stage = stage(vec![lane(Capability::StrongLookup)], Setup::default()).await;
    come_back(&stage).await;
    let person = stage.words("select 'p_' || replace(person_id::text, '-', '') from person order by 1 limit 1").await.remove(0);
    let commands = [
        vec!["pack", "incident", "--incident", "test", "--out", "out.zip"],
        vec!["pack", "person", "--incident", "test", "--person", &person, "--out", "out.zip"],
        vec!["report", "regulator", "--incident", "test", "--profile", "uk-gdpr"],
        vec!["report", "witness", "--incident", "test"],
        vec!["audit", "sample", "--incident", "test", "--seed", "7"],
    ];

    for command in &commands {
        duly(&stage, command).refused("this database was restored and not reconciled yet", "`duly restore reconcile`");
        assert!(!stage.folder.path().join("out.zip").exists());
    }
    assert_eq!(stage.count("select count(*) from restored where reconciled_at is null").await, 1, "the first of them noticed");

    duly(&stage, &["restore", "reconcile"]).fine();
    duly(&stage, &commands[0]).fine();
    duly(&stage, &commands[2]).fine();
}
