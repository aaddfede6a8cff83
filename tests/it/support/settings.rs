//! The settings of a stage, and its keys.

use super::provider::{Sandbox, face_settings};
use super::stage::{Lane, Setup};
use duly::model::seal::Key;
use duly_sandbox::Face;
use std::collections::BTreeMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// Short times: a lease of 2 s is the unit of all crash tests.
const DISPATCH: &[(&str, i64)] = &[
    ("lease_ms", 2000),
    ("queue_lease_ms", 2000),
    ("request_timeout_ms", 900),
    ("send_by_ms", 600),
    ("network_margin_ms", 200),
    ("backoff_min_ms", 50),
    ("backoff_max_ms", 400),
    ("unknown_after_ms", 100),
    ("no_news_after_ms", 600_000),
    ("interval_ms", 50),
];

/// Times of a call that a busy machine keeps to: no call is late for its turn, and none ends without its answer. For tests that
/// count calls, and kill nobody.
pub const PATIENT: &[(&str, i64)] = &[
    ("lease_ms", 12_000),
    ("queue_lease_ms", 12_000),
    ("request_timeout_ms", 6000),
    ("send_by_ms", 4000),
    ("network_margin_ms", 400),
    ("hold_check_ms", 10_000),
];

/// A new key's file.
pub fn write_key(path: &Path) {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).unwrap();
    std::io::Write::write_all(&mut file, Key::generate().to_hex().as_bytes()).unwrap();
}

/// The settings of a stage: `urls` of database and broker, its folder, its sandbox.
pub fn settings_text(setup: &Setup, [database, broker]: [&String; 2], folder: &Path, sandbox: &Sandbox) -> String {
    let root = env!("CARGO_MANIFEST_DIR");
    let mut profiles = PathBuf::from(root).join("config/profiles");
    if let Some((from, to)) = setup.profile_with {
        let text = std::fs::read_to_string(profiles.join("uk-gdpr.toml")).unwrap().replace(from, to);
        profiles = folder.join("profiles");
        std::fs::create_dir(&profiles).unwrap();
        std::fs::write(profiles.join("uk-gdpr.toml"), text).unwrap();
    }
    let profiles = profiles.display();
    let mut templates = PathBuf::from(root).join("templates");
    if setup.own_templates {
        let own = folder.join("templates");
        for part in ["uk-gdpr", "partials"] {
            std::fs::create_dir_all(own.join(part)).unwrap();
            for file in std::fs::read_dir(templates.join(part)).unwrap() {
                let file = file.unwrap();
                std::fs::copy(file.path(), own.join(part).join(file.file_name())).unwrap();
            }
        }
        templates = own;
    }
    let templates = templates.display();
    let mut text = format!(
        "web.listen = \"127.0.0.1:0\"\ntemplates.folder = \"{templates}\"\nprofiles.folder = \"{profiles}\"\n\
         [database]\nurl = \"{database}\"\nconnections = 3\n[broker]\nurl = \"{broker}\"\n\
         [keys]\nmaster_file = \"{folder}/master.key\"\nlog_file = \"{folder}/log.key\"\n\
         [health]\n{health}[quiet]\nfrom = \"{from}\"\nuntil = \"{until}\"\n[receipts]\nrefusals_every_seconds = 1\n[evidence]\nhost = \"duly.test\"\noutside = \"{folder}/outside\"\ninterval_ms = 50\n[dispatch]\n",
        folder = folder.display(),
        health = setup.health,
        from = setup.quiet[0],
        until = setup.quiet[1]
    );
    let own: BTreeMap<&str, i64> = DISPATCH.iter().chain(&setup.dispatch).copied().collect();
    for (key, value) in own {
        text.push_str(&format!("{key} = {value}\n"));
    }
    for Lane { name, provider, key_life_seconds, per_second, per_day, reserve, weight, unknown_rule, extra } in &setup.lanes {
        let url = if provider.face == Face::Smtp { sandbox.mail_url.clone() } else { format!("{}/{name}", sandbox.url) };
        text.push_str(&format!(
            "[lanes.{name}]\n{}channel = \"{}\"\nurl = \"{url}\"\n\
             per_second = {per_second}\nper_day = {per_day}\nreserve = {reserve}\nweight = {weight}\nidempotent = {}\nkey_life_seconds = {key_life_seconds}\nlookup = {}\nlookup_lag_ms = {}\n\
             unknown_rule = \"{unknown_rule}\"\n",
            if extra.is_empty() { face_settings(name, provider) } else { extra.replace("{folder}", &folder.display().to_string()) },
            provider.channel,
            provider.idempotent,
            provider.lookup,
            provider.lookup_lag_ms,
        ));
    }
    text
}
