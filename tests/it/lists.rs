//! Each row of a list has one fate, whatever stands in it and however often it comes.

use super::intake_world::{ANN, HEADER, IntakeWorld, counts, refusal};
use duly::intake::csv::ListError;
use duly_sandbox::write_people;
use serde_json::json;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

#[tokio::test]
async fn a_made_up_list_ends_as_its_maker_says_code_by_code() {
    let world = IntakeWorld::start("made_up").await;
    let mut file = Vec::new();
    let made = write_people(&mut file, 5000, 7).unwrap();

    let said = world.dry_run(&file).await.unwrap();
    let report = world.try_import(&file).await.unwrap();

    assert_eq!(counts(&report), (5000, made.people, made.duplicates, made.bad + made.conflicting, 0));
    assert_eq!(report.by_code, made.by_code.iter().map(|(code, n)| ((*code).to_owned(), *n)).collect::<BTreeMap<_, _>>());
    assert_eq!((counts(&said), said.by_code, said.faults), (counts(&report), report.by_code, report.faults));
    assert!(made.by_code.len() >= 23, "a code is not tried: {:?}", made.by_code);
    assert_eq!(world.count("select row_count from affected_list").await, 5000);
    world.audit().await;
}

#[tokio::test]
async fn the_same_file_again_changes_nothing() {
    let world = IntakeWorld::start("again").await;
    let rows = format!("{ANN}PN2,Bo,,,,,\n");

    let first = world.import(&rows).await;
    let second = world.import(&rows).await;

    assert_eq!(counts(&first), (2, 1, 0, 1, 0));
    assert_eq!(counts(&second), (2, 0, 0, 0, 2));
    assert_eq!(world.count("select count(*) from affected_list").await, 1);
    world.audit().await;
}

#[tokio::test]
async fn a_reference_again_is_a_repeat_with_equal_fields_and_waits_with_others() {
    let world = IntakeWorld::start("reference").await;
    let written_otherwise = "PN1, Ann ,Price,+44 (0)7400 123456,1 High Street,Leeds,ls14ap\n";
    let other = "PN1,Ann,Price,07400 123457,1 High Street,Leeds,LS1 4AP\n";

    let report = world.import(&format!("{ANN}{written_otherwise}{other}")).await;

    assert_eq!(counts(&report), (3, 1, 1, 1, 0));
    assert_eq!(world.waiting().await, ["1/3 duplicate_reference"]);
    world.audit().await;
}

#[tokio::test]
async fn two_people_at_one_address_and_phone_are_two_people() {
    let world = IntakeWorld::start("household").await;

    let report = world.import(&format!("{ANN}{}", ANN.replace("PN1", "PN2"))).await;

    assert_eq!(counts(&report), (2, 2, 0, 0, 0));
}

#[tokio::test]
async fn a_dry_run_says_what_an_import_would_say_and_changes_nothing() {
    let world = IntakeWorld::start("dry").await;
    world.import(ANN).await;
    let list = format!(
        "{HEADER}{ANN}{}PN2,Bo,Hill,07400 1,,,\nPN3,Cy,Dale,07400 123458,,,\nPN3,Cy,Dale,07400123458,,,\n",
        ANN.replace("456", "459")
    );
    let before = world
        .count("select (select count(*) from source_row) + (select count(*) from person) + (select count(*) from affected_list)")
        .await;

    let said = world.dry_run(&list).await.unwrap();
    let after = world
        .count("select (select count(*) from source_row) + (select count(*) from person) + (select count(*) from affected_list)")
        .await;
    let done = world.try_import(&list).await.unwrap();
    let said_again = world.dry_run(&list).await.unwrap();

    assert_eq!(before, after);
    assert_eq!(counts(&said), (5, 1, 2, 2, 0));
    assert_eq!((counts(&said), said.by_code, said.faults), (counts(&done), done.by_code, done.faults));
    assert_eq!(counts(&said_again), (5, 0, 0, 0, 5));
}

#[tokio::test]
async fn an_import_that_was_cut_off_goes_on_where_it_stopped() {
    let world = IntakeWorld::start("cut").await;
    let mut file = Vec::new();
    write_people(&mut file, 5000, 3).unwrap();
    let path = world.file("affected.csv", &file);
    let path = path.to_str().unwrap();

    let mut child = world.duly(&["list", "import", path, "--incident", "n-2026"]).spawn().unwrap();
    let until = Instant::now() + Duration::from_secs(60);
    while world.count("select count(*) from source_row").await == 0 {
        assert!(Instant::now() < until, "the import never began");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let taken = world.count("select count(*) from source_row").await;
    let report = world.try_import(&file).await.unwrap();

    assert!(taken < 5000, "the import was not cut");
    assert_eq!((report.rows, i64::try_from(report.known).unwrap()), (5000, taken));
    world.audit().await;
}

#[tokio::test]
async fn rows_behind_a_frozen_list_go_into_a_supplement_of_the_same_file() {
    let world = IntakeWorld::start("frozen").await;
    let list = format!("{ANN}{}", ANN.replace("PN1", "PN2"));
    world.import(&list).await;
    // As if the import had been cut after its first row, and a plan had been prepared then.
    sqlx::raw_sql("delete from source_row where row_no = 2; delete from person_key; delete from person where person_id not in (select person_id from source_row)")
        .execute(&world.owner)
        .await
        .unwrap();
    sqlx::raw_sql("insert into person_key select controller_id, incident_no, person_id, '\\x01' from person")
        .execute(&world.owner)
        .await
        .unwrap();
    world.freeze().await;
    let missing = async || {
        let found = world.store.audit(world.incident.key).await.unwrap();
        found.into_iter().filter(|f| f.code == "row_missing").map(|f| f.place).collect::<Vec<_>>()
    };
    assert_eq!(missing().await, ["1 has 1 rows of 2"], "the rest is not there yet");

    let rest = world.import(&list).await;
    assert_eq!(missing().await, Vec::<String>::new());
    let again = world.import(&list).await;

    assert_eq!((counts(&rest), rest.list), ((2, 1, 0, 0, 1), Some(2)));
    assert_eq!(counts(&again), (2, 0, 0, 0, 2));
    assert_eq!(world.count("select count(*) from person where list_no = 1").await, 1);
    world.freeze().await;
    assert_eq!(missing().await, Vec::<String>::new(), "a frozen supplement continues its file");
    sqlx::raw_sql("delete from source_row where list_no = 2").execute(&world.owner).await.unwrap();
    assert_eq!(missing().await, ["1 has 1 rows of 2"]);
    sqlx::raw_sql(
        "insert into source_row (controller_id, incident_no, list_no, identity, row_no, fate, person_id)
         select controller_id, incident_no, 2, '\\x0000000000000002', 2, 'person', person_id from person where list_no = 2",
    )
    .execute(&world.owner)
    .await
    .unwrap();
    world.audit().await;
}

#[tokio::test]
async fn two_imports_of_one_file_at_once_take_every_row_once() {
    let world = IntakeWorld::start("at_once").await;
    let mut file = Vec::new();
    let made = write_people(&mut file, 5000, 5).unwrap();
    // Written once: a file that is written again while the other import reads it is a cut list, and refused as such.
    let path = world.file("list.csv", file);

    let (a, b) = tokio::join!(world.import_file(&path), world.import_file(&path));
    let (a, b) = (a.unwrap(), b.unwrap());

    assert_eq!((a.people + b.people, a.known + b.known), (made.people, 5000));
    assert_eq!(world.count("select count(*) from affected_list").await, 1);
    world.audit().await;
}

#[tokio::test]
async fn two_lists_with_the_same_people_at_once_do_not_kill_each_other() {
    let world = IntakeWorld::start("crossed").await;
    let rows: Vec<String> = (0..3000).map(|i| format!("PN{i},Ann,Price,07400 {i:06},,,\n")).collect();
    let there = world.file("there.csv", format!("{HEADER}{}", rows.concat()));
    let back = world.file("back.csv", format!("{HEADER}{}", rows.iter().rev().cloned().collect::<String>()));

    let (a, b) = tokio::join!(world.import_file(&there), world.import_file(&back));
    let (a, b) = (a.unwrap(), b.unwrap());

    assert_eq!((a.people + b.people, a.duplicates + b.duplicates), (3000, 3000));
    world.audit().await;
}

#[tokio::test]
async fn a_reference_code_that_is_taken_is_drawn_again() {
    let world = IntakeWorld::start("codes").await;
    let list = world.store.open_list(world.incident.key, "file", Some(b"x"), &[1]).await.unwrap();
    let keys = duly::intake::rows::RowKeys { incident: world.key.clone(), list: world.key.clone() };
    let text = format!("{HEADER}{ANN}{}", ANN.replace("PN1", "PN2"));
    let mut rows: Vec<_> =
        duly::intake::csv::open(text.as_bytes(), &Default::default()).unwrap().map(|row| keys.file_row(row.unwrap())).collect();
    rows.iter_mut().for_each(|row| row.person.as_mut().unwrap().reference_code = "AAAA-AAAA".into());

    world.store.insert_rows(world.incident.key, list.list_no, &rows).await.unwrap();

    assert_eq!(world.count("select count(distinct reference_code) from person").await, 2);
    world.audit().await;
}

#[tokio::test]
async fn what_is_no_list_is_refused_and_leaves_nothing_behind() {
    let world = IntakeWorld::start("refused").await;

    assert!(matches!(refusal(world.try_import("").await), ListError::Empty));
    assert!(matches!(refusal(world.try_import(HEADER).await), ListError::NoRows));
    assert!(matches!(refusal(world.try_import(vec![b'x'; 10_000_000]).await), ListError::HeaderTooLong));
    assert!(matches!(
        refusal(world.try_import(format!("{HEADER}{ANN}PN2,\"Bo,Hill\n{ANN}")).await),
        ListError::UnclosedQuote { row: 2 }
    ));

    assert_eq!(world.count("select count(*) from source_row").await, 0);
    assert_eq!(world.count("select count(*) from affected_list").await, 0);
}

#[tokio::test]
async fn whatever_bytes_come_every_row_is_counted() {
    let world = IntakeWorld::start("bytes").await;
    let tokens: [&[u8]; 12] =
        [b"\"", b",", b"\n", b"\r\n", b"PN1", b"PN2", b"Price", b"07400 123456", b"\xe9", b"\0", b"=1+1", b" "];
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    for _ in 0..60 {
        let mut body = Vec::new();
        for _ in 0..80 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            body.extend_from_slice(tokens[usize::try_from(state >> 33).unwrap() % tokens.len()]);
        }
        let file = [HEADER.as_bytes(), &body].concat();
        let said = world.dry_run(&file).await;
        match world.try_import(&file).await {
            Ok(report) => {
                assert_eq!(report.rows, report.people + report.duplicates + report.quarantined + report.known);
                assert_eq!(counts(&said.unwrap()), counts(&report));
            }
            Err(error) => assert_eq!(said.unwrap_err().to_string(), error.to_string()),
        }
    }
    world.audit().await;
}

#[tokio::test]
async fn the_command_line_shows_twenty_faults_and_no_value() {
    let world = IntakeWorld::start("shown").await;
    let rows: String = (0..30).map(|i| format!("SECRET{i},Ann,Marlowe,999,,,\n")).collect();
    let path = world.file(
        "affected.csv",
        format!("{}{rows}", HEADER.replace("first_name", "Given name,Shoe size")).replace("Ann,", "Ann,42,"),
    );
    let path = path.to_str().unwrap();

    let (_, dry, _) = world.text(&["list", "import", path, "--incident", "n-2026", "--dry-run"]);
    let (works, done, _) = world.text(&["list", "import", path, "--incident", "n-2026"]);
    let (_, waiting, _) = world.text(&["quarantine", "list", "--incident", "n-2026", "--limit", "25"]);
    let data = world.json(&["quarantine", "list", "--incident", "n-2026"]);

    assert!(works && dry == format!("nothing was changed: {done}"), "{dry}\n{done}");
    assert!(done.starts_with("30 rows = 0 people + 0 duplicates + 30 quarantined + 0 known before\n  row 1, column phone: invalid_phone: write the number"));
    assert!(
        done.contains("  … and 10 more: `duly quarantine list --incident n-2026`\n  columns not read: Shoe size\n"),
        "{done}"
    );
    assert!(
        waiting.contains("1/25, column phone: invalid_phone") && waiting.ends_with("… and 5 more: raise --limit\n"),
        "{waiting}"
    );
    assert_eq!(
        (&data["waiting"], &data["rows"][0]),
        (&json!(30), &json!({"list": 1, "row": "1", "faults": [{"column": "phone", "code": "invalid_phone"}]}))
    );
    for shown in [dry, done, waiting, data.to_string()] {
        assert!(!shown.contains("SECRET") && !shown.contains("Marlowe") && !shown.contains("999"), "{shown}");
    }
    assert_eq!(
        world.count("select count(*) from signed_command where convert_from(statement, 'UTF8') like '%list import%'").await,
        1
    );
}

/// What five times the rows may need more: the allocator's habits, and nothing that grows with a row.
const GROWTH_KIB_MAX: u64 = 16 * 1024;

#[tokio::test]
async fn a_list_needs_as_much_memory_whatever_its_length_and_less_than_300_mb_for_100_000_rows() {
    let mut peaks = Vec::new();
    for rows in [20_000, 100_000] {
        let world = IntakeWorld::start("large").await;
        let path = world.folder.path().join("large.csv");
        let made = write_people(&mut std::io::BufWriter::new(std::fs::File::create(&path).unwrap()), rows, 1).unwrap();
        let arguments = ["list", "import", path.to_str().unwrap(), "--incident", "n-2026", "--json"];
        let dry_peak = peak_kib(world.duly(&arguments).arg("--dry-run"));
        let begun = Instant::now();
        let peak = peak_kib(&mut world.duly(&arguments));
        println!("{rows} rows: import {peak} KiB, dry run {dry_peak} KiB; import took {:?}", begun.elapsed());
        assert_eq!(u64::try_from(world.count("select count(*) from person").await).unwrap(), made.people);
        peaks.push([peak, dry_peak]);
    }

    let [short, long] = [peaks[0], peaks[1]];
    assert!(long.iter().all(|peak| *peak < 300 * 1024), "{long:?} KiB");
    for (short, long) in short.into_iter().zip(long) {
        assert!(long < short + GROWTH_KIB_MAX, "20,000 rows need {short} KiB, 100,000 need {long} KiB");
    }
}

/// Runs a command to its end and reads the largest resident size that the kernel saw.
fn peak_kib(command: &mut std::process::Command) -> u64 {
    let mut child = command.stdout(std::process::Stdio::null()).spawn().unwrap();
    let status = format!("/proc/{}/status", child.id());
    let mut peak = 0;
    while child.try_wait().unwrap().is_none() {
        let text = std::fs::read_to_string(&status).unwrap_or_default();
        let line = text.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        peak = line.and_then(|l| l.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(peak).max(peak);
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(child.wait().unwrap().success() && peak > 0);
    peak
}
