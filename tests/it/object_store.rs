//! The copy outside in a bucket, over the protocol of object stores: a small server of our own stands for one.

use crate::support::{Setup, Stage, eventually, listener, serve};
use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, Method, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use duly_ledger::{Checkpoint, Event, Frontier, Signer, bundle_entries, entry_bundles, leaf_hash};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

/// What lies in the bucket by name, and whether any request came without a signature.
#[derive(Default)]
struct Bucket {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    unsigned: Mutex<u32>,
}

type Shared = Arc<Bucket>;

const TAGS: [(header::HeaderName, &str); 2] = [(header::ETAG, "\"1\""), (header::LAST_MODIFIED, "Wed, 11 Nov 2026 09:00:00 GMT")];

async fn answer(
    State(bucket): State<Shared>,
    method: Method,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let is_signed =
        headers.get(header::AUTHORIZATION).is_some_and(|a| a.as_bytes().starts_with(b"AWS4-HMAC-SHA256 Credential=AKTEST/"));
    *bucket.unsigned.lock().unwrap() += u32::from(!is_signed);
    let Some(name) = uri.path().strip_prefix("/evidence").map(|name| name.trim_start_matches('/').to_owned()) else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let mut files = bucket.files.lock().unwrap();
    if name.is_empty() && method == Method::GET {
        return listed(&files, &query).into_response();
    }
    if name.is_empty() && method == Method::POST {
        let text = String::from_utf8_lossy(&body).into_owned();
        let named = text.split("<Key>").skip(1).filter_map(|rest| rest.split("</Key>").next());
        let deleted: String = named
            .map(|key| {
                files.remove(key);
                format!("<Deleted><Key>{key}</Key></Deleted>")
            })
            .collect();
        return format!("<DeleteResult>{deleted}</DeleteResult>").into_response();
    }
    match method {
        Method::PUT => {
            files.insert(name, body.to_vec());
            (TAGS, "").into_response()
        }
        Method::DELETE => {
            files.remove(&name);
            StatusCode::NO_CONTENT.into_response()
        }
        _ => match files.get(&name) {
            Some(bytes) => (TAGS, bytes.clone()).into_response(),
            None => (StatusCode::NOT_FOUND, "<Error><Code>NoSuchKey</Code></Error>").into_response(),
        },
    }
}

fn listed(files: &BTreeMap<String, Vec<u8>>, query: &BTreeMap<String, String>) -> String {
    let (prefix, delimiter) = (query.get("prefix").cloned().unwrap_or_default(), query.contains_key("delimiter"));
    let (mut keys, mut folders) = (String::new(), BTreeSet::new());
    for (name, bytes) in files.iter().filter(|(name, _)| name.starts_with(&prefix)) {
        match name[prefix.len()..].split_once('/').filter(|_| delimiter) {
            Some((folder, _)) => drop(folders.insert(format!("{prefix}{folder}/"))),
            None => keys.push_str(&format!(
                "<Contents><Key>{name}</Key><LastModified>2026-11-11T09:00:00.000Z</LastModified><ETag>\"1\"</ETag><Size>{}</Size></Contents>",
                bytes.len()
            )),
        }
    }
    let folders: String = folders.iter().map(|f| format!("<CommonPrefixes><Prefix>{f}</Prefix></CommonPrefixes>")).collect();
    format!("<ListBucketResult><IsTruncated>false</IsTruncated>{keys}{folders}</ListBucketResult>")
}

#[tokio::test]
async fn the_copy_outside_in_a_bucket_is_the_whole_log_and_is_gone_on_with_after_a_restart() {
    let stage = Stage::new(Setup { people: 3, ..Setup::default() }).await;
    let bucket = Shared::default();
    let listener = listener().await;
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(bucket.clone());
    serve(async move { axum::serve(listener, app).await.map_err(|e| e.to_string()) });
    let variables = [
        ("AWS_ENDPOINT", url.as_str()),
        ("AWS_ALLOW_HTTP", "true"),
        ("AWS_REGION", "eu-west-2"),
        ("AWS_ACCESS_KEY_ID", "AKTEST"),
        ("AWS_SECRET_ACCESS_KEY", "not a secret"),
        ("DULY_EVIDENCE__OUTSIDE", "s3://evidence/northmere"),
    ];
    let origin = format!("duly.test/{}", stage.incident.incident_id);
    let file = |name: &str| bucket.files.lock().unwrap().get(&format!("northmere/{origin}/{name}")).cloned();
    let vkey = Signer::new(&origin, stage.office.settings.log_key().unwrap().bytes()).unwrap().vkey().clone();
    let size = || file("checkpoint").map_or(0, |note| Checkpoint::open(&note, std::slice::from_ref(&vkey)).unwrap().size);

    for round in 1..=2 {
        let before = size();
        let hold = stage.hold().await;
        stage.lift(hold).await;
        let mut process = stage.start_with(&["scheduler"], None, &variables);
        eventually("the bucket has what was added", async || {
            size() > before && stage.count("select count(*) from event_inbox").await == 0
        })
        .await;
        process.terminate().await;

        let checkpoint = Checkpoint::open(&file("checkpoint").unwrap(), std::slice::from_ref(&vkey)).unwrap();
        let (mut tree, mut kinds) = (Frontier::new(), Vec::new());
        for tile in entry_bundles(checkpoint.size) {
            let bundle = file(&tile.to_string()).unwrap_or_else(|| panic!("{tile} is not there"));
            for entry in bundle_entries(&bundle) {
                let entry = entry.unwrap();
                kinds.push(Event::parse(entry).unwrap().kind);
                tree.append(leaf_hash(entry));
            }
        }
        assert_eq!((tree.size(), tree.root()), (checkpoint.size, checkpoint.root));
        assert_eq!(kinds.iter().filter(|kind| *kind == "hold.lifted").count(), round);
    }
    assert_eq!(*bucket.unsigned.lock().unwrap(), 0, "every request is signed");
    assert!(
        !std::path::Path::new(&stage.office.settings.evidence.outside).join(&origin).exists(),
        "nothing beside it in a folder"
    );
    stage.audit().await;
}
