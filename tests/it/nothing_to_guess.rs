//! Whoever reads the database cannot try names, numbers and addresses until one fits: no table holds a hash of them
//! that is not keyed.

use crate::support::{Lane, Setup, Stage};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use duly::model::state::Route;
use duly_sandbox::ProviderConfig;
use sha2::{Digest, Sha256, Sha512};
use sqlx::AssertSqlSafe;

/// A finished run of text messages and letters.
async fn finished_run() -> Stage {
    let provider = |channel: &str| ProviderConfig {
        channel: channel.into(),
        receipts: true,
        receipt_delay_ms: 0,
        ..ProviderConfig::default()
    };
    let lane = |name, channel| Lane { provider: provider(channel), ..Lane::named(name) };
    let lanes = vec![lane("sms", "sms"), lane("letters", "letter")];
    let stage = Stage::new(Setup { people: 3, routes: vec![Route::SmsAndLetter], lanes, ..Setup::default() }).await;
    stage.serve_receipts().await;
    let mut process = stage.start(&["scheduler", "worker"]);
    stage.drain_to_the_end().await;
    process.terminate().await;
    stage
}

/// Hashes that somebody who guesses a value would compute.
fn hashes(value: &[u8]) -> Vec<Vec<u8>> {
    let leaf = Sha256::new().chain_update([0]).chain_update(value).finalize();
    vec![
        Sha256::digest(value).to_vec(),
        Sha512::digest(value).to_vec(),
        leaf.to_vec(),
        Sha256::digest(Sha256::digest(value)).to_vec(),
    ]
}

/// As text, and as bytes that hold that text; a column of bytes is printed as their hex.
fn spellings(bytes: &[u8]) -> Vec<String> {
    let texts = [hex::encode(bytes), BASE64_STANDARD.encode(bytes), String::from_utf8_lossy(bytes).into_owned()];
    texts.iter().cloned().chain(texts.iter().map(hex::encode)).filter(|text| !text.contains('\u{fffd}')).collect()
}

/// Tables with a row that shows one of the values, or a hash of it.
async fn tables_that_tell(stage: &Stage, values: &[Vec<u8>], hashed: &[Vec<u8>]) -> Vec<String> {
    // A short value stands somewhere in what is random.
    let plain = values.iter().filter(|value| value.len() > 4).cloned();
    let all = values.iter().flat_map(|value| hashes(value)).chain(plain).chain(hashed.iter().cloned());
    let needles: Vec<String> = all.flat_map(|bytes| spellings(&bytes)).collect();
    let tables = stage.words("select tablename::text from pg_tables where schemaname = 'public' order by 1").await;
    assert!(tables.len() > 30, "{tables:?}");
    let mut telling = Vec::new();
    for table in tables {
        let query = format!(
            "select exists (select from {table} r cross join lateral (select r::text as line) l, unnest($1::text[]) as wanted (needle) where strpos(l.line, wanted.needle) > 0)"
        );
        if sqlx::query_scalar(AssertSqlSafe(query)).bind(&needles).fetch_one(&stage.owner).await.unwrap() {
            telling.push(table);
        }
    }
    telling
}

#[tokio::test]
async fn no_table_holds_a_plain_hash_of_what_names_somebody() {
    let stage = finished_run().await;
    let record = stage.sandbox.state.record();
    assert_eq!(record.len(), 6, "a text message and a letter for each");
    // Every text and letter as the provider counted it, every number and address, and what the list had of them.
    let contents: Vec<Vec<u8>> = record.iter().map(|made| hex::decode(&made.content_sha256).unwrap()).collect();
    let mut values: Vec<Vec<u8>> = record.iter().map(|made| made.destination.clone().into_bytes()).collect();
    for i in 0..3 {
        let (reference, address) = (format!("PN{i}"), format!("{} High Street", i + 1));
        values.extend([reference, address].map(String::into_bytes));
    }
    values.push(b"Price".to_vec());

    assert_eq!(tables_that_tell(&stage, &values, &contents).await, Vec::<String>::new());

    // The search itself finds what stands there, in bytes and in text.
    let planted = "create table planted (hash bytea); insert into planted select decode($$HASH$$, 'hex')";
    for (i, hash) in
        [contents[0].clone(), Sha256::digest(&values[0]).to_vec(), Sha256::digest(b"Price").to_vec()].iter().enumerate()
    {
        let mut statement = planted.replace("$$HASH$$", &format!("'{}'", hex::encode(hash)));
        if i > 0 {
            statement = statement.replace("hash bytea", "hash text").replace(", 'hex')", ", 'hex')::text");
        }
        sqlx::raw_sql(AssertSqlSafe(statement)).execute(&stage.owner).await.unwrap();
        assert_eq!(tables_that_tell(&stage, &values, &contents).await, ["planted"]);
        sqlx::raw_sql("drop table planted").execute(&stage.owner).await.unwrap();
    }
    stage.audit().await;
}
