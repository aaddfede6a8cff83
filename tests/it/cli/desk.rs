//! A desk with a terminal: the real binary, a folder and a database of its own.

use crate::support::{TestDatabase, VirtualHost, deadlines, empty_database, virtual_host, write_private};
use duly::model::user_key::unlock;
use duly::store::Store;
use duly::store::user::Signer;
use serde_json::Value;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// What the people of the list are called and where they live: none of it may stand anywhere but in the database.
pub const PERSONAL: &[&str] = &[
    "Wyn-Evans",
    "Siân",
    "Nguyen",
    "Adeyemi",
    "Nowak",
    "447400",
    "Heol",
    "Aberystwyth",
    "High Street",
    "LS1 4AB",
    "PN1",
    "PN2",
    "PN3",
];

const LIST: &str = "\
Pay number,First name,Surname,Mobile,Address 1,Town,Postcode
PN1,Siân,Wyn-Evans,07400 123456,1 Heol y Bont,Aberystwyth,SY23 2AX
PN2,Bao,Nguyen,07400 123457,2 High Street,Leeds,LS1 4AB
PN2,Bao,Nguyen,07400 123457,2 High Street,Leeds,LS1 4AB
PN3,Olu,Adeyemi,,3 High Street,Leeds,LS1 4AB
,No,Reference,07400 123458,4 High Street,Leeds,LS1 4AB
PN5,Zofia,Nowak,07400 123459,,,
";

/// The texts of the desk's incident.
pub const TEXTS: &str = "\
nature = \"On 9 November 2026 a file was copied from a supplier's server.\"
dates = \"It was copied on 9 November 2026.\"
data_types = \"Your name and your pay number.\"
consequences = \"Somebody could pretend to know you.\"
measures = \"The server is closed and we told the police.\"
advice = \"Be wary of calls from people you do not know.\"
dpo_name = \"Mary Holt\"
dpo_contact = \"0808 157 0100\"

[published]
phones = [\"0808 157 0100\", \"0303 123 1113\"]
domains = [\"ico.org.uk\"]
";

/// How a command ended.
#[derive(Debug)]
pub struct Ran {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Ran {
    /// The command did its work.
    pub fn fine(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The command refused with code 2 and said what and what to do.
    pub fn refused(self, what: &str, hint: &str) -> Self {
        assert_eq!(self.code, 2, "{self:?}");
        let (error, remedy) = self.err.trim_end().rsplit_once("\n\nhint: ").expect(&self.err);
        assert!(error.contains(&format!("error: {what}")), "{}", self.err);
        assert!(remedy.contains(hint) && !remedy.contains('\n'), "{}", self.err);
        self
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).expect(&self.out)
    }
}

/// A folder with keys and files, and a database.
pub struct Desk {
    pub folder: TempDir,
    pub url: String,
    pub variables: Vec<(String, String)>,
    broker: Option<VirtualHost>,
    _database: TestDatabase,
}

impl Desk {
    /// A desk with an empty database.
    pub async fn empty(name: &str) -> Self {
        // The tests' own HTTP client needs one too; another test may have been first.
        drop(rustls::crypto::ring::default_provider().install_default());
        let database = empty_database(name).await;
        let folder = TempDir::new().unwrap();
        let mut desk = Self { folder, url: database.url.clone(), variables: Vec::new(), broker: None, _database: database };
        // A plan binds its lanes; tests that send set their addresses.
        for (lane, channel) in [("LETTERS", "letter"), ("SMS_A", "sms")] {
            desk.set(&format!("DULY_LANES__{lane}__CHANNEL"), channel);
            desk.set(&format!("DULY_LANES__{lane}__URL"), "http://127.0.0.1:1");
        }
        // Tests run at any hour.
        desk.set_quiet("00:00", "00:00");
        desk.write("affected.csv", LIST);
        desk.write("texts.toml", TEXTS);
        for user in ["ann", "bob", "cleo"] {
            desk.write(&format!("{user}.pass"), &format!("the long passphrase of {user}\n"));
        }
        desk
    }

    /// A desk with users ann and bob, a controller and an incident `cards`.
    pub async fn with_incident(name: &str, approvals: &str) -> Self {
        let desk = Self::empty(name).await;
        desk.new_user("ann", &["init", "--name", "Ann Price", "--key", "ann.key"]).fine();
        desk.new_user("bob", &["user", "add", "--name", "Bob Evans", "--key", "bob.key"]).fine();
        desk.duly(
            "ann",
            &[
                "controller",
                "add",
                "northmere",
                "--name",
                "Northmere Police",
                "--sms-sender",
                "NORTHMERE",
                "--address",
                "PO Box 118",
            ],
        )
        .fine();
        let add =
            ["incident", "add", "cards", "--controller", "northmere", "--texts", "texts.toml", "--approvals-required", approvals];
        desk.duly("ann", &add).fine();
        desk
    }

    /// As `with_incident`, with the list imported and a plan prepared by ann.
    pub async fn with_plan(name: &str, approvals: &str) -> Self {
        let desk = Self::with_incident(name, approvals).await;
        desk.prepare();
        desk
    }

    /// Imports the list and prepares a plan, through the lanes as they are set now.
    pub fn prepare(&self) {
        self.duly("ann", &["list", "import", "affected.csv", "--incident", "cards"]).fine();
        self.duly("ann", &["plan", "prepare", "--incident", "cards", "--route", "sms-then-letter,letter,sms"]).fine();
    }

    /// As `with_plan`, approved by bob and started.
    pub async fn running(name: &str) -> Self {
        let desk = Self::with_plan(name, "1").await;
        desk.duly("bob", &["plan", "approve", "--incident", "cards", "--people", "4"]).fine();
        desk.duly("bob", &["plan", "go", "--incident", "cards"]).fine();
        desk
    }

    /// Sets a variable for every later command.
    pub fn set(&mut self, name: &str, value: impl Into<String>) {
        self.variables.push((name.to_owned(), value.into()));
    }

    /// The hours in which text messages wait; the same twice: none.
    pub fn set_quiet(&mut self, from: &str, until: &str) {
        self.set("DULY_QUIET__FROM", from);
        self.set("DULY_QUIET__UNTIL", until);
    }

    /// Gives the desk a virtual host of its own at the broker.
    pub async fn connect_broker(&mut self) {
        let broker = virtual_host().await;
        self.set("DULY_BROKER__URL", &broker.url);
        self.broker = Some(broker);
    }

    pub fn write(&self, name: &str, text: &str) {
        write_private(&self.path(name), text);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let root = Path::new(env!("CARGO_MANIFEST_DIR"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command
            .args(args)
            .current_dir(self.folder.path())
            .env_remove("DULY_USER_KEY")
            .env_remove("RUST_LOG")
            .env("DATABASE_URL", &self.url)
            .env("DULY_TEMPLATES__FOLDER", root.join("templates"))
            .env("DULY_PROFILES__FOLDER", root.join("config/profiles"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    /// Runs a command signed by `user`.
    pub fn duly(&self, user: &str, args: &[&str]) -> Ran {
        self.duly_with(user, args, "")
    }

    /// As `duly`, with text on standard input.
    pub fn duly_with(&self, user: &str, args: &[&str], input: &str) -> Ran {
        let mut command = self.command(args);
        command.env("DULY_USER_KEY", format!("{user}.key")).env("DULY_PASSPHRASE_FILE", format!("{user}.pass"));
        run(command, input)
    }

    /// Runs a command of somebody who has a passphrase and no user's key, and is refused.
    pub fn refuses_unsigned(&self, args: &[&str]) {
        let mut command = self.command(args);
        command.env("DULY_PASSPHRASE_FILE", "ann.pass");
        run(command, "").refused("this command must be signed, and DULY_USER_KEY is not set", "export DULY_USER_KEY");
    }

    /// Runs a command, signed by ann, that makes a key with the passphrase of `user`.
    pub fn new_user(&self, user: &str, args: &[&str]) -> Ran {
        let mut command = self.command(args);
        command
            .env("DULY_USER_KEY", "ann.key")
            .env("DULY_PASSPHRASE_FILE", "ann.pass")
            .env("DULY_NEW_PASSPHRASE_FILE", format!("{user}.pass"));
        run(command, "")
    }

    /// The user with the key unlocked, to sign past the program.
    pub async fn signer(&self, user: &str) -> Signer {
        let text = std::fs::read_to_string(self.folder.path().join(format!("{user}.key"))).unwrap();
        let key = unlock(&text, &format!("the long passphrase of {user}")).unwrap();
        let store = Store::connect(&self.url, 1, deadlines()).await.unwrap();
        Signer { user_id: store.load_user_by_key(&key.public()).await.unwrap(), key }
    }

    /// Changes the database as its owner could.
    pub async fn sabotage(&self, sql: &str) -> Result<u64, sqlx::Error> {
        let owner = sqlx::PgPool::connect(&self.url).await?;
        let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&owner).await?;
        Ok(done.rows_affected())
    }
}

pub fn run(mut command: Command, input: &str) -> Ran {
    let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
    // A command that never reads may be gone already.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    let done = child.wait_with_output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    Ran { code: done.status.code().unwrap(), out: text(done.stdout), err: text(done.stderr) }
}
