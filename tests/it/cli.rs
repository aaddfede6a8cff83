//! The command line, driven as people and programs drive it: the real binary against a database of its own.

mod answers;
mod as_json;
mod broken;
mod close;
mod cut;
pub mod desk;
mod first_lane;
mod lanes;
mod plans;
pub mod rehearsed;
mod signatures;
mod terminal;
mod unsigned;
mod undecided;

use desk::{Desk, PERSONAL, run};
use serde_json::{Value, json};

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().unwrap().keys().map(String::as_str).collect()
}

#[tokio::test]
async fn an_incident_goes_from_init_to_go_by_the_command_line_alone() {
    let desk = Desk::with_plan("story", "1").await;

    let plan = desk.duly("bob", &["plan", "show", "--incident", "cards", "--json"]).fine().json();
    assert_eq!((&plan["people"], &plan["prepared_by"], &plan["state"]), (&json!(4), &json!("Ann Price"), &json!("prepared")));
    desk.duly("bob", &["plan", "go", "--incident", "cards"]).refused("plan 1 is prepared, not approved", "duly plan approve");
    desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "5"])
        .refused("the plan writes to 4", "duly plan show");
    desk.duly("bob", &["plan", "approve", "--incident", "cards"]).fine();
    assert!(desk.duly("ann", &["plan", "go", "--incident", "cards"]).fine().err.contains("Plan 1 is running."));
    let again = desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
    assert!(again.err.contains("running already; nothing was changed"), "{}", again.err);
    for (command, says) in [("pause", "Plan 1 is paused."), ("pause", "nothing was changed"), ("resume", "Plan 1 is running.")] {
        assert!(desk.duly("bob", &["plan", command, "--incident", "cards"]).fine().err.contains(says), "{command}");
    }

    let status = desk.duly("ann", &["status", "--json"]).fine().json();
    let equation = &status["equation"];
    assert_eq!(status["equation_holds"], true);
    assert_eq!(
        (&equation["rows"], &equation["people"], &equation["duplicates"], &equation["quarantined"], &equation["person_states"]),
        (&json!(6), &json!(4), &json!(1), &json!(1), &json!({"waiting": 4}))
    );
    assert_eq!(equation["notices"], equation["notices_by_events"]);
    assert!(desk.duly("ann", &["status"]).fine().out.starts_with("0 of 4 people notified\n"));
    assert_eq!(desk.duly("ann", &["audit", "--json"]).fine().json()["holds"], true);
}

#[tokio::test]
async fn a_person_is_found_by_a_reference_from_standard_input_and_the_story_is_in_order() {
    let desk = Desk::running("person").await;
    desk.duly("bob", &["hold", "set", "--incident", "cards", "--reason", "request 412"]).fine();

    let told = desk.duly_with("ann", &["person", "show", "--incident", "cards", "--json"], " PN2 \n").fine().json();
    let kinds: Vec<&str> = told["events"].as_array().unwrap().iter().map(|e| e["kind"].as_str().unwrap()).collect();
    assert_eq!(
        kinds,
        ["row.person", "row.duplicate_of", "list.frozen", "plan.prepared", "plan.approved", "plan.started", "hold.set"]
    );
    assert_eq!(
        keys(&told),
        [
            "events",
            "format",
            "incident",
            "is_erased",
            "jurisdiction",
            "language",
            "notices",
            "person",
            "reference_code",
            "rehearsal",
            "state"
        ]
    );
    assert!(told["rehearsal"][0].as_str().unwrap().starts_with("Plan 1 has lanes that are not live (letters, sms-a)"), "{told}");
    assert_eq!((&told["state"], &told["notices"][0]["route"]), (&json!("held"), &json!("sms-then-letter")));

    let id = told["person"].as_str().unwrap();
    let shown = desk.duly("ann", &["person", "show", "--incident", "cards", "--person", id]).fine().out;
    assert!(shown.contains("Bob Evans approved plan 1") && shown.contains("request 412"), "{shown}");
    assert_eq!(PERSONAL.iter().find(|p| shown.contains(**p)), None, "{shown}");

    let unknown = desk
        .duly_with("ann", &["person", "show", "--incident", "cards"], "PN1-typo\n")
        .refused("no person of this incident", "check it");
    let mistaken =
        desk.duly("ann", &["person", "show", "--incident", "cards", "--person", "PN1"]).refused("a person id is p_", "prompt");
    assert!(!unknown.err.contains("PN1") && !mistaken.err.contains("PN1"), "{} {}", unknown.err, mistaken.err);
}

#[tokio::test]
async fn the_audit_ends_with_1_and_names_what_is_wrong() {
    let desk = Desk::running("audit").await;
    desk.duly("ann", &["audit"]).fine();

    desk.sabotage("delete from person where person_id = (select min(person_id::text)::uuid from person)").await.unwrap();

    let audit = desk.duly("ann", &["audit", "--json"]);
    assert_eq!(audit.code, 1, "{audit:?}");
    assert_eq!((&audit.json()["holds"], &audit.json()["incidents"][0]["equation_holds"]), (&json!(false), &json!(false)));
    assert!(audit.err.contains("error: the audit has") && audit.err.contains("\n\nhint: "), "{}", audit.err);
    assert!(desk.duly("ann", &["status"]).fine().out.contains("DOES NOT BALANCE"));
}

#[tokio::test]
async fn the_equation_does_not_balance_where_a_notice_says_more_than_its_events() {
    let desk = Desk::running("replay").await;

    desk.sabotage("update notice set state = 'notified', ended_at = now() where person_id = (select min(person_id::text)::uuid from notice)").await.unwrap();

    let status = desk.duly("ann", &["status", "--json"]).fine().json();
    assert_eq!(status["equation_holds"], false);
    assert!(desk.duly("ann", &["status"]).fine().out.contains("DOES NOT BALANCE"));
    assert_eq!(
        (&status["equation"]["notices"], &status["equation"]["notices_by_events"]),
        (&json!({"notified": 1, "open": 3}), &json!({"open": 4}))
    );
}

#[tokio::test]
async fn the_equation_does_not_balance_where_a_row_of_the_list_was_never_taken_in() {
    let desk = Desk::running("row").await;

    desk.sabotage("delete from source_row where fate = 'quarantined'").await.unwrap();

    let status = desk.duly("ann", &["status", "--json"]).fine().json();
    assert_eq!(
        (&status["equation_holds"], &status["equation"]["rows_counted"], &status["equation"]["rows"]),
        (&json!(false), &json!(6), &json!(5))
    );
    assert!(desk.duly("ann", &["status"]).fine().out.contains("6 rows in the lists = 5 rows taken in   not all of them yet"));
}

#[tokio::test]
async fn init_writes_nothing_over_and_says_what_comes_next() {
    let desk = Desk::empty("init").await;

    let first = desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key", "--json"]).fine();
    assert_eq!(keys(&first.json()), ["key", "log_key", "master_key", "name", "user"]);
    assert!(first.err.contains("export DULY_USER_KEY=ann.key"), "{}", first.err);
    let read = |name: &str| std::fs::read(desk.folder.path().join(name)).unwrap();
    let (key, master) = (read("ann.key"), read(".local/keys/master.key"));

    desk.new_user("ann", &["init", "--name", "Ann", "--key", "ann.key"]).refused("`ann.key` exists", "never written over");
    desk.new_user("ann", &["init", "--name", "Mallory", "--key", "other.key"])
        .refused("this database has users already", "duly user add");
    desk.write("short.pass", "hunter2\n");
    desk.new_user("short", &["user", "key", "--name", "Bob", "--key", "bob.key"])
        .refused("the passphrase is shorter than 12", "four or five words");
    assert_eq!((key, master), (read("ann.key"), read(".local/keys/master.key")));
    assert!(!desk.folder.path().join("other.key").exists() && !desk.folder.path().join("bob.key").exists());
}

#[tokio::test]
async fn no_secret_is_printed_by_settings_and_each_line_says_where_it_comes_from() {
    let mut desk = Desk::empty("settings").await;
    desk.write("lanes.toml", "[lanes.post]\nchannel = \"letter\"\nurl = \"https://user:hidden-1@print.example\"\napi_key = \"hidden-2\"\nreceipt_secret = \"hidden-3\"\n");
    desk.set("DULY_BROKER__URL", "amqp://guest:hidden-4@127.0.0.1:1/%2f");
    let args = ["--settings", "lanes.toml", "--set", "dispatch.lease_ms=50000", "settings"];

    for form in [&args[..], &[&args[..], &["--json"]].concat()] {
        let shown = desk.duly("ann", form).fine().out;
        assert!(!shown.contains("hidden-") && shown.contains("••••••"), "{shown}");
    }
    const SHARED: &str = "receipts with the full login of database.url";
    assert!(desk.duly("ann", &args).fine().err.contains(SHARED));
    desk.set("DULY_DATABASE__RECEIPTS_URL", "postgres://receipts:hidden-5@127.0.0.1/duly");
    let own = desk.duly("ann", &args).fine();
    assert!(!own.err.contains(SHARED) && !own.out.contains("hidden-"), "{own:?}");
    let lines = desk.duly("ann", &[&args[..], &["--json"]].concat()).fine().json();
    let source = |key: &str| lines.as_array().unwrap().iter().find(|l| l["key"] == key).unwrap()["source"].clone();
    assert_eq!(
        (source("dispatch.lease_ms"), source("broker.url")),
        (json!("--set dispatch.lease_ms"), json!("DULY_BROKER__URL"))
    );

    desk.duly("ann", &["--set", "dispatch.leas_ms=1", "settings"]).refused("`dispatch.leas_ms`", "config/default.toml");
}

#[tokio::test]
async fn errors_say_what_happened_why_and_what_to_do_and_wrong_use_ends_with_2() {
    let desk = Desk::empty("errors").await;

    desk.duly("ann", &["user", "list"]).refused("the database's schema is 0", "duly migrate");
    desk.duly("ann", &["migrate"]).fine();
    desk.duly("ann", &["incident", "show", "nowhere"]).refused("there is no incident `nowhere`", "duly incident list");
    desk.duly("ann", &["plan", "go", "--incident", "nowhere"]).refused("there is no incident", "check the name");
    let mut gone = desk.command(&["user", "list"]);
    gone.env("DATABASE_URL", "postgres://duly@127.0.0.1:1/nowhere");
    let gone = run(gone, "").refused("the database at 127.0.0.1:1/nowhere does not answer", "check that Postgres is up");
    assert!(gone.err.contains("\n  cause: "), "{}", gone.err);
    for wrong in [&["nonsense"][..], &["plan"], &["plan", "prepare"], &[]] {
        assert_eq!(desk.duly("ann", wrong).code, 2, "{wrong:?}");
    }
    // An empty variable is none.
    for key in [None, Some("")] {
        let add = ["controller", "add", "x", "--name", "X", "--sms-sender", "NORTHMERE", "--address", "X"];
        let mut unsigned = desk.command(&add);
        unsigned.env("DULY_MASTER_KEY", "07".repeat(32)).envs(key.map(|key| ("DULY_USER_KEY", key)));
        run(unsigned, "").refused("this command must be signed", "export DULY_USER_KEY");
    }
}

#[tokio::test]
async fn data_go_to_stdout_words_to_stderr_and_no_colour_leaves_a_pipe() {
    let desk = Desk::running("streams").await;

    for args in [
        &["status"][..],
        &["help"],
        &["help", "words"],
        &["help", "plan", "approve"],
        &["--help"],
        &["plan", "show", "--incident", "cards"],
    ] {
        let shown = desk.duly("ann", args).fine();
        assert!(!shown.out.is_empty() && !shown.out.contains('\u{1b}') && shown.err.is_empty(), "{args:?} {shown:?}");
    }
    assert!(desk.duly("ann", &["help", "words"]).out.contains("the duty to tell one person in one phase"));
    assert_eq!(keys(&desk.duly("ann", &["help", "words", "--json"]).fine().json()), ["outcomes", "person_states", "words"]);
    for args in [
        &["user", "list"][..],
        &["controller", "list"],
        &["incident", "list"],
        &["incident", "show", "cards"],
        &["hold", "list", "--incident", "cards"],
        &["unknown", "list", "--incident", "cards"],
    ] {
        let shown = desk.duly("ann", &[args, &["--json"]].concat()).fine();
        assert!(serde_json::from_str::<Value>(&shown.out).is_ok(), "{args:?} {}", shown.out);
    }
    let hidden = desk.duly("ann", &["--set", "nonsense", "status"]);
    assert!(hidden.out.is_empty() && hidden.code == 2);
}

/// The type system refuses `?` on an error without a remedy; this finds an enum that nobody gave one.
#[test]
fn every_error_of_the_library_is_listed_with_its_remedy() {
    fn walk(folder: &std::path::Path, found: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                walk(&path, found);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                let names = text
                    .lines()
                    .filter_map(|line| line.strip_prefix("pub enum ")?.split([' ', '{']).next().filter(|n| n.ends_with("Error")));
                found.extend(names.map(str::to_owned));
            }
        }
    }
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut errors, listed) = (Vec::new(), std::fs::read_to_string(root.join("src/cli/failure.rs")).unwrap());
    walk(&root.join("src"), &mut errors);

    let missing: Vec<&String> = errors.iter().filter(|e| !listed.contains(&format!("    {e},\n"))).collect();
    assert!(errors.len() > 8 && missing.is_empty(), "{missing:?}");
}
