//! Every change is signed: whoever has no user's key changes nothing by any command.

use super::as_json::leaves;
use super::desk::{Desk, Ran, TEXTS, run};
use super::undecided::ask;
use sqlx::AssertSqlSafe;
use std::collections::{BTreeMap, BTreeSet};

/// Commands that no user signs, or that are tried without a key elsewhere, each with its reason.
const ELSEWHERE: &[(&str, &str)] = &[
    ("init", "makes the first user, before whom nobody can sign, and refuses where there is one"),
    ("migrate", "by the database's owner: the schema, and no fact"),
    ("serve", "a service: it does what was signed before"),
    ("sandbox", "the simulator: it has no database"),
    ("demo", "makes a database of its own, with users who sign"),
    ("key restore", "writes a key file from its halves; there may be no database yet"),
    ("message cancel", "of a message that its provider holds: recalls"),
    ("batch handed-over", "of a batch that lies in its folder: batches"),
    ("batch result", "of a batch that lies in its folder: batches"),
    ("restore reconcile", "of a database that was restored: restore"),
];

/// Commands that only look, or write files of their caller's.
const READING: &[&[&str]] = &[
    &["settings"],
    &["help", "words"],
    &["user", "list"],
    &["user", "key", "--name", "Dee", "--key", "dee.key"],
    &["key", "new", "--name", "Northmere", "--key", "new-list.key"],
    &["key", "split", "--first", "half-1", "--second", "half-2"],
    &["key", "test-restore", "--first", "half-1.txt", "--second", "half-2.txt"],
    &["controller", "list"],
    &["incident", "list"],
    &["incident", "show", "cards"],
    &["incident", "close", "cards", "--dry-run"],
    &["list", "import", "affected.csv", "--incident", "cards", "--dry-run"],
    &["list", "statement", "--incident", "cards", "--list", "1"],
    &["quarantine", "list", "--incident", "cards"],
    &["job", "rejected"],
    &["job", "key", "--incident", "cards"],
    &["template", "list"],
    &["template", "check", "uk-gdpr/sms"],
    &["template", "preview", "uk-gdpr/sms.en"],
    &["template", "diff", "uk-gdpr/sms.en", "uk-gdpr/letter.en"],
    &["template", "new", "uk-gdpr/letter.en"],
    &["plan", "show", "--incident", "cards"],
    &["hold", "list", "--incident", "cards"],
    &["status", "--incident", "cards"],
    &["person", "show", "--incident", "cards"],
    &["task", "list", "--incident", "cards"],
    &["message", "list", "--incident", "cards"],
    &["unknown", "list", "--incident", "cards"],
    &["batch", "list", "--lane", "letters"],
    &["log", "list"],
    &["log", "key", "--system"],
    &["log", "key", "--all"],
    &["log", "new-key", "--out", "next.key"],
    &["provider", "list"],
    &["provider", "check", "sms-a"],
    &["verify", "nothing.zip", "--key", "nothing.vkey"],
];

/// Tries commands without a user's key, and remembers which.
struct Stranger<'a> {
    desk: &'a Desk,
    seen: BTreeSet<String>,
}

/// The log of what happened before: reports have its last events placed and signed, by the log's key, whoever asks, and who does so
/// keeps the mark outside.
const LOG: &[&str] = &["checkpoint", "event_inbox", "leadership", "log", "log_tile", "publication", "pulse", "sequenced"];

/// What every table of the database holds, by its name, and the names of the folder's files.
type World = BTreeMap<String, String>;

/// What differs between two.
fn changed(before: &World, after: &World) -> Vec<String> {
    let differs = |name: &&String| before.get(*name) != after.get(*name);
    before.keys().chain(after.keys()).filter(differs).cloned().collect()
}

impl Stranger<'_> {
    async fn world(&self) -> World {
        let pool = sqlx::PgPool::connect(&self.desk.url).await.unwrap();
        let tables: Vec<String> =
            sqlx::query_scalar("select tablename::text from pg_tables where schemaname = 'public' and tablename <> all($1)")
                .bind(LOG)
                .fetch_all(&pool)
                .await
                .unwrap();
        // Of an event what it tells, and not its place in the log; what the logs say of each other is no news of anybody's.
        let row = |table: &str| {
            if table == "event" { "case when t.kind !~ '^(log|checkpoint)[.]' then t.body::text end" } else { "t::text" }
        };
        let hash = |table: &String| {
            let row = row(table);
            format!("select '{table}', md5(coalesce(string_agg({row}, '|' order by {row}), '')) from \"{table}\" t")
        };
        let all = tables.iter().map(hash).collect::<Vec<_>>().join(" union all ");
        let rows: Vec<(String, String)> = sqlx::query_as(AssertSqlSafe(all)).fetch_all(&pool).await.unwrap();
        let files = std::fs::read_dir(self.desk.folder.path()).unwrap();
        let files = files.map(|file| (format!("file {}", file.unwrap().file_name().display()), String::new()));
        rows.into_iter().chain(files).collect()
    }

    fn run(&mut self, args: &[&str], input: &str) -> Ran {
        self.seen.insert(args.iter().take_while(|word| !word.starts_with('-')).copied().collect::<Vec<_>>().join(" "));
        let mut command = self.desk.command(args);
        // Passphrases alone open nothing.
        command.env("DULY_PASSPHRASE_FILE", "ann.pass").env("DULY_NEW_PASSPHRASE_FILE", "bob.pass");
        command.env("DULY_LIST_PASSPHRASE_FILE", "cleo.pass");
        run(command, input)
    }

    /// The command is refused for want of a signature alone, and nothing has changed.
    async fn refused(&mut self, args: &[&str]) {
        self.refused_with(args, "").await;
    }

    async fn refused_with(&mut self, args: &[&str], input: &str) {
        let before = self.world().await;
        let ran = self.run(args, input);
        assert_eq!(ran.code, 2, "{args:?} {ran:?}");
        assert!(ran.err.contains("error: this command must be signed, and DULY_USER_KEY is not set"), "{args:?} {}", ran.err);
        assert_eq!(changed(&before, &self.world().await), Vec::<String>::new(), "{args:?} was refused");
    }

    /// The same, and then with a key it does its work: nothing else was in the way.
    async fn refused_then_done(&mut self, user: &str, args: &[&str]) -> Ran {
        self.refused(args).await;
        let before = self.world().await;
        let done = self.desk.duly(user, args).fine();
        assert_ne!(changed(&before, &self.world().await), Vec::<String>::new(), "{args:?} with a key");
        done
    }
}

async fn before_a_plan(stranger: &mut Stranger<'_>) {
    let desk = stranger.desk;
    stranger.refused(&["user", "add", "--name", "Bob Evans", "--key", "bob.key"]).await;
    desk.new_user("bob", &["user", "add", "--name", "Bob Evans", "--key", "bob.key"]).fine();
    stranger.refused(&["user", "revoke", "Bob Evans"]).await;
    let add =
        ["controller", "add", "northmere", "--name", "Northmere Police", "--sms-sender", "NORTHMERE", "--address", "PO Box 1"];
    stranger.refused_then_done("ann", &add).await;
    stranger.refused_then_done("ann", &["controller", "set", "northmere", "--check-page", "https://ico.org.uk/check"]).await;
    stranger.refused_then_done("ann", &["incident", "add", "cards", "--controller", "northmere", "--texts", "texts.toml"]).await;
    let public = desk.new_user("cleo", &["key", "new", "--name", "Northmere Police", "--key", "list.key"]).fine().out;
    stranger.refused(&["list", "replace-key", "--controller", "northmere", "--public", public.trim()]).await;
    stranger.refused_then_done("ann", &["list", "import", "affected.csv", "--incident", "cards"]).await;
    stranger.refused(&["job", "publish", "affected.csv", "--incident", "cards"]).await;
    stranger.refused(&["job", "retry"]).await;
    stranger.refused(&["job", "discard", "0193f3a2-0000-7000-8000-000000000000", "--reason", "a test message"]).await;
    stranger.refused(&["quarantine", "export", "--incident", "cards", "--file", "waiting.csv"]).await;
    desk.duly("ann", &["quarantine", "export", "--incident", "cards", "--file", "waiting.csv"]).fine();
    stranger.refused(&["quarantine", "correct", "--incident", "cards", "--file", "waiting.csv"]).await;
    stranger.refused_then_done("ann", &["quarantine", "discard", "1/5", "--incident", "cards", "--reason", "a test entry"]).await;
    let templates = desk.duly("ann", &["template", "list", "--json"]).fine().json();
    let draft = templates.as_array().unwrap().iter().find(|template| template["draft"] == true).unwrap().clone();
    let [name, hash] = ["name", "hash"].map(|field| draft[field].as_str().unwrap().to_owned());
    stranger.refused_then_done("ann", &["template", "review", &name, "--hash", &hash]).await;
    // Changes nothing, and opens what is everybody's.
    stranger.refused(&["template", "check", "uk-gdpr/sms", "--incident", "cards"]).await;
    stranger.refused(&["audit", "--sealed"]).await;
}

async fn plan(stranger: &mut Stranger<'_>) {
    let desk = stranger.desk;
    stranger.refused_then_done("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).await;
    stranger.refused(&["plan", "withdraw", "--incident", "cards", "--plan", "1"]).await;
    desk.duly("ann", &["list", "statement", "--incident", "cards", "--list", "1", "--out", "list.txt"]).fine();
    stranger.refused(&["list", "sign", "--incident", "cards", "--list", "1", "--key", "list.key"]).await;
    let away = stranger.run(&["list", "sign", "--statement", "list.txt", "--key", "list.key", "--out", "list.sig.json"], "");
    away.fine();
    stranger.refused_then_done("ann", &["list", "attach", "list.sig.json", "--incident", "cards"]).await;
    for word in ["approve", "go", "pause", "resume"] {
        stranger.refused_then_done("bob", &["plan", word, "--incident", "cards"]).await;
    }
    let set = ["hold", "set", "--incident", "cards", "--reason", "request 412", "--json"];
    let hold = stranger.refused_then_done("bob", &set).await.json()["hold"].as_str().unwrap().to_owned();
    stranger.refused_then_done("bob", &["hold", "lift", &hold]).await;
}

async fn people(stranger: &mut Stranger<'_>) {
    let desk = stranger.desk;
    let (message, _) = ask(desk).await;
    let decide =
        ["unknown", "decide", &message.to_string(), "--incident", "cards", "--choice", "next-step", "--reason", "docket 7"];
    stranger.refused_then_done("bob", &decide).await;
    let exempt = ["person", "exempt", "--incident", "cards", "--reason", "never issued"];
    stranger.refused_with(&exempt, "PN3\n").await;
    desk.duly_with("ann", &exempt, "PN3\n").fine();
    stranger.refused_with(&["person", "reopen", "--incident", "cards", "--reason", "another of the same name"], "PN3\n").await;
    let told = ["person", "told", "--incident", "cards", "--how", "by-phone", "--reason", "called on 3 May"];
    stranger.refused_with(&told, "PN5\n").await;
    stranger.refused_with(&["person", "erase", "--incident", "cards", "--yes"], "PN3\n").await;
    let shown = desk.duly_with("ann", &["person", "show", "--incident", "cards", "--json"], "PN1\n").fine().json();
    stranger.refused(&["template", "preview", "--incident", "cards", "--person", shown["person"].as_str().unwrap()]).await;
    // Signs the log besides, which the reports read.
    stranger.refused_then_done("ann", &["pack", "incident", "--incident", "cards", "--out", "pack.zip"]).await;
    stranger.refused_with(&["pack", "person", "--incident", "cards", "--out", "person.zip"], "PN1\n").await;
    stranger.refused(&["report", "regulator", "--incident", "cards", "--profile", "uk-gdpr", "--out", "report.html"]).await;
    stranger.refused(&["report", "witness", "--incident", "cards", "--out", "statement.html"]).await;
    desk.write("counts.csv", "channel,count\nletter,0\n");
    stranger.refused_then_done("bob", &["provider", "statement", "counts.csv", "--incident", "cards", "--lane", "letters"]).await;
    stranger.refused(&["audit", "sample", "--incident", "cards", "--seed", "7", "--out", "paper.html"]).await;
    stranger.refused_then_done("bob", &["incident", "close", "cards", "--unfinished", "moved to another system"]).await;
    stranger.refused_then_done("bob", &["incident", "reopen", "cards", "--reason", "moved back"]).await;
}

#[tokio::test]
async fn without_a_users_key_every_command_that_changes_something_is_refused_and_changes_nothing() {
    let desk = Desk::empty("unsigned").await;
    desk.write("texts.toml", TEXTS);
    desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key"]).fine();
    let mut stranger = Stranger { desk: &desk, seen: BTreeSet::new() };

    before_a_plan(&mut stranger).await;
    plan(&mut stranger).await;
    people(&mut stranger).await;
    let before = stranger.world().await;
    for args in READING {
        stranger.run(args, "PN1\n");
        let mut changed = changed(&before, &stranger.world().await);
        changed.retain(|name| !name.starts_with("file "));
        assert_eq!(changed, Vec::<String>::new(), "{args:?} without a signature");
    }
    // It tells each log what it found, whoever asked, and changes nothing else.
    stranger.run(&["audit"], "");
    let mut told = changed(&before, &stranger.world().await);
    told.retain(|name| !name.starts_with("file "));
    assert!(!told.is_empty() && told.iter().all(|name| name == "event"), "{told:?}");

    let mut all = Vec::new();
    leaves(&duly::cli::help::command(), "", &mut all);
    let is_seen = |path: &str| stranger.seen.iter().any(|seen| seen == path || seen.starts_with(&format!("{path} ")));
    let untried: BTreeSet<&str> = all.iter().map(String::as_str).filter(|path| !is_seen(path)).collect();
    let excused: BTreeSet<&str> = ELSEWHERE.iter().map(|(path, _)| *path).collect();
    assert_eq!(untried, excused, "on the left: tried nowhere; on the right: excused here");
}
