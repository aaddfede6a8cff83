//! A quarantined row ends by somebody's decision, and the decision is evidence.

use super::intake_world::{ANN, IntakeWorld, counts};
use duly::intake::correction::{CorrectionError, export};
use serde_json::{Value, json};

#[tokio::test]
async fn a_correction_takes_the_place_of_the_row_that_it_names() {
    let world = IntakeWorld::start("corrected").await;
    world.import(&format!("{ANN}PN2,Bo,Hill,12,,,\nPN1,Bo,Hill,07400 123457,,,\n")).await;
    assert_eq!(world.waiting().await, ["1/2 invalid_phone", "1/3 duplicate_reference"]);
    let file = "list,row,reference,name,phone\n1,2,PN2,Bo Hill,07400 123458\n1,3,PN1,Bo Hill,07400 123457\n";

    let report = world.correct(None, file).await.unwrap();
    let again = world.correct(None, file).await.unwrap();

    assert_eq!(counts(&report), (2, 1, 0, 1, 0));
    assert_eq!(counts(&again), (2, 0, 0, 0, 2));
    assert_eq!(world.waiting().await, ["2/2 duplicate_reference"]);
    let one = world.correct(Some("2/2"), "reference,name,phone\nPN3,Bo Hill,07400 123457\n").await.unwrap();
    assert_eq!(counts(&one), (1, 1, 0, 0, 0));
    assert_eq!(world.waiting().await, [""; 0]);
    assert_eq!(world.count("select count(*) from row_decision where fate = 'superseded'").await, 3);
    assert_eq!(world.count("select count(*) from event where kind = 'row.corrected'").await, 3);
    let body: String =
        sqlx::query_scalar("select convert_from(body, 'UTF8') from event where kind = 'row.corrected' order by ord limit 1")
            .fetch_one(&world.owner)
            .await
            .unwrap();
    let leaf: Value = serde_json::from_str(&body).unwrap();
    assert_eq!(
        (&leaf["d"]["list"], &leaf["d"]["row"], &leaf["d"]["new_list"], &leaf["d"]["new_row"]),
        (&json!(1), &json!(2), &json!(2), &json!(1))
    );
    world.audit().await;
}

#[tokio::test]
async fn a_correction_that_names_wrong_rows_changes_nothing() {
    let world = IntakeWorld::start("uncorrected").await;
    world.import(&format!("{ANN}PN2,Bo,Hill,12,,,\n")).await;
    let file = |rows: &str| format!("list,row,reference,name,phone\n{rows}");

    let wrong = world
        .correct(None, &file("1,1,PN1,Ann,07400 123456\n1,2,PN2,Bo,07400 123457\n9,9,PN9,Bo,07400 123457\n"))
        .await
        .unwrap_err();
    assert!(matches!(&wrong, CorrectionError::NotQuarantined { rows } if rows.len() == 2), "{wrong}");
    assert_eq!(wrong.to_string(), "not quarantined, or decided already: 1/1, 9/9");
    let unnamed = world.correct(None, &file(",,PN2,Bo,07400 123457\n")).await.unwrap_err();
    assert!(matches!(unnamed, CorrectionError::Unnamed { rows } if rows == [1]));
    let twice = world.correct(None, &file("1,2,PN2,Bo,07400 123457\n1,2,PN2,Bo,07400 123458\n")).await.unwrap_err();
    assert!(matches!(twice, CorrectionError::NamedTwice { rows } if rows == [2]));

    assert_eq!(world.waiting().await, ["1/2 invalid_phone"]);
    assert_eq!(world.count("select count(*) from affected_list").await, 1);
    assert_eq!(world.count("select count(*) from event where incident_no is not null and kind <> 'row.quarantined'").await, 0);
}

#[tokio::test]
async fn a_correction_behind_a_frozen_list_of_corrections_is_a_supplement() {
    let world = IntakeWorld::start("late").await;
    world.import(&format!("{ANN}PN2,Bo,Hill,12,,,\n")).await;
    world.freeze().await;

    let report = world.correct(Some("1/2"), "reference,name,phone\nPN2,Bo Hill,07400 123457\n").await.unwrap();

    assert_eq!((counts(&report), report.list), ((1, 1, 0, 0, 0), Some(2)));
    world.audit().await;
}

#[tokio::test]
async fn what_is_exported_is_corrected_in_a_spreadsheet_and_taken_again() {
    let world = IntakeWorld::start("exported").await;
    world.import("PN2,=HYPERLINK(\"x\"),Hill,+44 7400 12,1 High Street,Leeds,LS1 4AP\n").await;

    let mut out = Vec::new();
    assert_eq!(export(&world.target(), &mut out).await.unwrap(), 1);
    let text = String::from_utf8(out).unwrap();
    assert!(text.contains("\"'=HYPERLINK(\"\"x\"\")\"") && text.contains(",'+44 7400 12,"), "{text}");
    let report = world.correct(None, &text.replace("'+44 7400 12,", "'+44 7400 123457,")).await.unwrap();

    assert_eq!(counts(&report), (1, 1, 0, 0, 0));
    let (contact, wrapped): (Vec<u8>, Vec<u8>) =
        sqlx::query_as("select contact, wrapped from person join person_key using (controller_id, incident_no, person_id)")
            .fetch_one(&world.owner)
            .await
            .unwrap();
    let opened = world.key.unwrap_key(&wrapped, "person").unwrap().open("contact", &contact).unwrap();
    let record: Value = serde_json::from_slice(&opened).unwrap();
    assert_eq!((&record["name"], &record["phone"]), (&json!("=HYPERLINK(\"x\") Hill"), &json!("+447400123457")));
}

#[tokio::test]
async fn a_discarded_row_keeps_its_reason_its_signature_and_its_evidence() {
    let world = IntakeWorld::start("discarded").await;
    world.import(&format!("{ANN}PN1,Bo,Hill,07400 123457,,,\nPN3,Cy,,,,,\n")).await;
    let discard =
        |row: &'static str| ["quarantine", "discard", row, "--incident", "n-2026", "--reason", "the same person, old number"];

    let done = world.json(&discard("1/2"));
    let (again_works, _, again) = world.text(&discard("1/2"));

    assert_eq!(done, json!({"discarded": ["1/2"]}));
    assert!(!again_works && again.contains("decided already: 1/2") && again.contains("hint: "), "{again}");
    assert_eq!(world.waiting().await, ["1/3 no_way_to_reach"]);
    let signed = "select count(*) from row_decision d join signed_command c using (command_id)
                   where d.reason = 'the same person, old number' and convert_from(c.statement, 'UTF8') like '%quarantine discard%1/2%'";
    assert_eq!(world.count(signed).await, 1);
    assert_eq!(world.count("select count(*) from event where kind = 'row.discarded'").await, 1);
    world.audit().await;
}
