//! A migrated database of its own for each test, copied from a template in some 50 ms, dropped at the end.

use duly::store::Store;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use tokio::sync::OnceCell;
use uuid::Uuid;

/// One lock for all test processes on this server while a template is made.
const TEMPLATE_LOCK: i64 = 0x6475_6c79_7465_7374;

static TEMPLATE: OnceCell<String> = OnceCell::const_new();

/// The server of `scripts/services env`.
pub fn server() -> String {
    std::env::var("DATABASE_URL").expect("run the tests by `make test`, or eval \"$(scripts/services env)\" first")
}

fn url_of(name: &str) -> String {
    url_on(&server(), name)
}

fn url_on(server: &str, name: &str) -> String {
    let (base, _) = server.rsplit_once('/').unwrap();
    format!("{base}/{name}")
}

async fn run(connection: &mut PgConnection, statement: String) {
    sqlx::raw_sql(AssertSqlSafe(statement)).execute(connection).await.unwrap();
}

/// A database that goes when this value goes.
pub struct TestDatabase {
    pub url: String,
    name: String,
    server: String,
}

/// A migrated database of its own; `name` only tells a reader whose it is.
pub async fn migrated_database(name: &str) -> TestDatabase {
    let template = TEMPLATE.get_or_init(make_template).await;
    create(server(), name, &format!("template {template}")).await
}

/// A database of its own that was never migrated.
pub async fn empty_database(name: &str) -> TestDatabase {
    create(server(), name, "").await
}

/// A migrated database on a server of the test's own.
pub async fn database_on(server: &str, name: &str) -> TestDatabase {
    let database = create(server.to_owned(), name, "").await;
    Store::migrate(&database.url).await.unwrap();
    database
}

async fn create(server: String, name: &str, from: &str) -> TestDatabase {
    let name = format!("duly_test_{name}_{}", &Uuid::from_u128(rand::random()).simple().to_string()[..12]);
    let mut connection = PgConnection::connect(&server).await.unwrap();
    run(&mut connection, format!("create database {name} {from}")).await;
    TestDatabase { url: url_on(&server, &name), name, server }
}

/// The template of these migrations; made once per server, by whoever comes first.
async fn make_template() -> String {
    let mut hash = Sha256::new();
    for migration in sqlx::migrate!("./migrations").iter() {
        hash.update(migration.version.to_be_bytes());
        hash.update(&migration.checksum);
    }
    let name = format!("duly_test_template_{}", &hex::encode(hash.finalize())[..16]);
    let mut connection = PgConnection::connect(&server()).await.unwrap();
    run(&mut connection, format!("select pg_advisory_lock({TEMPLATE_LOCK})")).await;
    let exists =
        sqlx::query("select from pg_database where datname = $1").bind(&name).fetch_optional(&mut connection).await.unwrap();
    if exists.is_none() {
        let draft = format!("{name}_draft");
        run(&mut connection, format!("drop database if exists {draft} with (force)")).await;
        run(&mut connection, format!("create database {draft}")).await;
        Store::migrate(&url_of(&draft)).await.unwrap();
        // If a test process dies before this name stands, the next one begins anew.
        run(&mut connection, format!("alter database {draft} rename to {name}")).await;
    }
    run(&mut connection, format!("select pg_advisory_unlock({TEMPLATE_LOCK})")).await;
    name
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let (name, server) = (std::mem::take(&mut self.name), std::mem::take(&mut self.server));
        // A runtime of its own: the test's may be gone or unwinding.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
            runtime.block_on(async {
                let mut connection = PgConnection::connect(&server).await?;
                sqlx::raw_sql(AssertSqlSafe(format!("drop database {name} with (force)"))).execute(&mut connection).await
            })
        });
        if !matches!(dropped.join(), Ok(Ok(_))) {
            eprintln!("a test database was left behind");
        }
    }
}
