#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

use super::*;
use figment::Figment;
use secrecy::ExposeSecret;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

const DEMO: &str = include_str!("../../config/demo.toml");

fn file(text: &str) -> tempfile::NamedTempFile {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load(text: &str, variables: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Settings, SettingsError> {
    Settings::load(&layers_with(Some(file(text).path()), pairs(variables), &pairs(flags)))
}

fn lane(fields: &str) -> Result<Settings, SettingsError> {
    load(&format!("[lanes.a]\nchannel = \"sms\"\nurl = \"http://127.0.0.1\"\n{fields}"), &[], &[])
}

fn refused_key(result: Result<Settings, SettingsError>) -> String {
    match result {
        Err(SettingsError::Refused { key, .. }) => key,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("accepted"),
    }
}

#[test]
fn the_shipped_file_alone_and_the_demo_are_accepted() {
    assert_eq!(load("", &[], &[]).unwrap().lanes.len(), 0);
    assert_eq!(load(DEMO, &[], &[]).unwrap().lanes.len(), 3);
}

#[test]
fn the_shipped_file_has_every_key_each_under_a_comment() {
    let mut above = "";
    for line in DEFAULTS.lines() {
        if line.contains(" = ") && !line.starts_with('#') {
            assert!(above.starts_with('#') || above.starts_with("backoff_min_ms"), "`{line}` has no comment");
        }
        above = line;
    }
    // Nothing outside a lane has a default in code, so a key that this file lacks cannot be loaded at all.
    for line in explain(&layers_with(None, [], &[])).unwrap() {
        let without: toml::Table = remove(toml::from_str(DEFAULTS).unwrap(), &line.key);
        let figment = Figment::from(figment::providers::Serialized::defaults(without));
        assert!(Settings::load(&figment).is_err(), "{} has a second default in code", line.key);
    }
    let lane = load(DEMO, &[], &[]).unwrap().lanes.remove("letters").unwrap();
    for field in format!("{lane:?}").split(", ").filter_map(|part| part.split(": ").next()) {
        let field = field.trim_start_matches("Lane { ");
        assert!(DEFAULTS.contains(&format!("# {field} = ")), "lanes.*.{field} is not in config/default.toml");
    }
}

fn remove(mut table: toml::Table, key: &str) -> toml::Table {
    let (sections, leaf) = key.rsplit_once('.').unwrap();
    let section = sections.split('.').fold(&mut table, |at, name| at.get_mut(name).unwrap().as_table_mut().unwrap());
    section.remove(leaf).unwrap();
    table
}

#[test]
fn a_later_layer_wins_and_says_where_it_comes_from() {
    let source = |variables: &[(&str, &str)], flags: &[(&str, &str)]| {
        let settings = file("[dispatch]\nprefetch = 300\n");
        let figment = layers_with(Some(settings.path()), pairs(variables), &pairs(flags));
        let value = Settings::load(&figment).unwrap().dispatch.prefetch;
        let line = explain(&figment).unwrap().into_iter().find(|line| line.key == "dispatch.prefetch").unwrap();
        assert_eq!(line.value, value.to_string());
        (value, line.source)
    };

    let (value, from) = source(&[], &[]);
    assert_eq!(value, 300);
    assert!(from.contains("tmp"), "{from}");
    let variable = [("DULY_DISPATCH__PREFETCH", "400")];
    assert_eq!(source(&variable, &[]), (400, "DULY_DISPATCH__PREFETCH".to_owned()));
    assert_eq!(source(&variable, &[("dispatch.prefetch", "500")]), (500, "--set dispatch.prefetch".to_owned()));
}

#[test]
fn usual_variables_are_taken_where_nothing_else_is_said() {
    let usual = [("DATABASE_URL", "postgres://u:p@h/a"), ("AMQP_URL", "amqp://h")];
    let settings = load("", &usual, &[]).unwrap();
    assert_eq!(settings.database.url.expose_secret(), "postgres://u:p@h/a");
    assert_eq!(settings.broker.url.expose_secret(), "amqp://h");
    let settings = load("[database]\nurl = \"postgres://h/b\"\n", &usual, &[]).unwrap();
    assert_eq!(settings.database.url.expose_secret(), "postgres://h/b");
}

#[test]
fn variables_of_the_program_are_no_settings_and_unknown_ones_are_refused() {
    load("", &[("DULY_MASTER_KEY", "07"), ("DULY_USER_KEY", "ann.key"), ("DULY_FAILPOINT", "x")], &[]).unwrap();
    let error = load("", &[("DULY_DISPATCH__LEASE_SM", "3")], &[]).unwrap_err();
    assert_eq!(error.to_string(), "`dispatch.lease_sm` in DULY_DISPATCH__LEASE_SM is no setting");
}

#[test]
fn a_lane_with_a_hyphen_has_a_variable_and_a_secret_of_digits_is_a_text() {
    let settings = load(DEMO, &[("DULY_LANES__SMS_A__API_KEY", "48151623")], &[]).unwrap();
    assert_eq!(settings.lanes["sms-a"].api_key.expose_secret(), "48151623");
}

#[test]
fn a_secret_is_read_from_its_file_which_wins() {
    let secret = file("from-file\n");
    let path = secret.path().display();
    let settings = lane(&format!("api_key = \"x\"\napi_key_file = \"{path}\"\nreceipt_secret_file = \"{path}\"\n")).unwrap();
    assert_eq!(settings.lanes["a"].api_key.expose_secret(), "from-file");
    assert_eq!(settings.lanes["a"].receipt_secret.expose_secret(), "from-file");
    let urls = load("", &[("DULY_DATABASE__URL_FILE", &path.to_string())], &[]).unwrap();
    assert_eq!(urls.database.url.expose_secret(), "from-file");
    assert!(matches!(lane("api_key_file = \"/nowhere\"\n"), Err(SettingsError::SecretFile { .. })));
}

#[test]
fn no_secret_shows_in_a_listing_a_debug_text_or_an_error() {
    let variables = [("DATABASE_URL", "postgres://u:s3cr3t@h/a"), ("DULY_LANES__A__API_KEY", "s3cr3t")];
    let text = "[lanes.a]\nchannel = \"sms\"\nurl = \"http://u:s3cr3t@127.0.0.1\"\nreceipt_secret = \"s3cr3t\"\n";
    let settings = file(text);
    let figment = layers_with(Some(settings.path()), pairs(&variables), &[]);
    assert!(!format!("{:?}", explain(&figment).unwrap()).contains("s3cr3t"));

    for broken in
        ["[lanes.a]\napi_key = \"s3cr3t\n", "[lanes.a]\napi_key = [\"s3cr3t\"]\n", "[dispatch]\nprefetch = \"s3cr3t\"\n"]
    {
        let error = load(broken, &[], &[]).unwrap_err();
        assert!(!format!("{error} {error:?} {}", error.remedy()).contains("s3cr3t"), "{broken}");
    }
}

#[test]
fn an_unknown_key_is_named_with_its_file_and_a_remedy() {
    let error = load("[dispatch]\nlease_sm = 3\n", &[], &[]).unwrap_err();
    assert!(matches!(&error, SettingsError::UnknownKey { key, origin } if key == "dispatch.lease_sm" && origin.contains("tmp")));
    assert!(error.remedy().contains("spelling"));
    let error = load("[dispach]\n", &[], &[]).unwrap_err();
    assert!(matches!(error, SettingsError::UnknownKey { key, .. } if key == "dispach"));
}

#[test]
fn what_is_refused_is_named_with_the_file_or_variable_of_its_value() {
    let settings = file(
        "[dispatch]\nsend_by_ms = 20001\n[lanes.a]\nchannel = \"sms\"\nurl = \"x\"\nlive = true\n[quiet]\nuntil = \"9 am\"\n",
    );
    let refused = |variables: &[(&str, &str)], flags: &[(&str, &str)]| {
        let figment = layers_with(Some(settings.path()), pairs(variables), &pairs(flags));
        Settings::load(&figment).unwrap_err().to_string()
    };
    let name = settings.path().display().to_string();

    let said = refused(&[], &[]);
    assert!(
        said.starts_with("`dispatch.send_by_ms` in ") && said.contains(&name) && said.contains("a third of lease_ms"),
        "{said}"
    );
    let said = refused(&[("DULY_DISPATCH__SEND_BY_MS", "20002")], &[]);
    assert!(said.starts_with("`dispatch.send_by_ms` in DULY_DISPATCH__SEND_BY_MS: "), "{said}");
    // Of two keys that one sentence is about, the one that somebody set; a key that is nowhere stands where its lane does.
    let right = ("dispatch.send_by_ms", "10000");
    let said = refused(&[], &[right]);
    assert!(said.starts_with("`quiet.from, quiet.until` in ") && said.contains(&name), "{said}");
    let said = refused(&[], &[right, ("quiet.until", "09:00")]);
    assert!(said.starts_with("`lanes.a.api_key` in ") && said.contains(&name), "{said}");
    let said = refused(&[], &[right, ("quiet.until", "09:00"), ("lanes.a.api_key", "s3cr3t"), ("dispatch.lease_ms", "1")]);
    assert!(said.starts_with("`dispatch.lease_ms` in --set dispatch.lease_ms: ") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn a_wrong_type_a_missing_field_and_a_missing_file_are_told_apart() {
    let wrong = load("[dispatch]\nprefetch = \"many\"\n", &[], &[]).unwrap_err();
    assert!(matches!(wrong, SettingsError::WrongType { key, .. } if key == "dispatch.prefetch"));
    let missing = load("[lanes.a]\nurl = \"x\"\n", &[], &[]).unwrap_err();
    assert!(matches!(missing, SettingsError::Missing { key } if key == "lanes.a.channel"));
    let nowhere = Settings::load(&layers_with(Some(Path::new("/nowhere.toml")), [], &[]));
    assert!(matches!(nowhere, Err(SettingsError::Unreadable { .. })));
}

#[test]
fn timings_that_contradict_each_other_are_refused() {
    let dispatch = |fields: &str| refused_key(load(&format!("[dispatch]\n{fields}\n"), &[], &[]));
    assert_eq!(dispatch("lease_ms = 20000"), "dispatch.lease_ms");
    assert_eq!(dispatch("send_by_ms = 20001"), "dispatch.send_by_ms");
    assert_eq!(dispatch("request_timeout_ms = 9223372036854775807"), "dispatch.lease_ms");
    assert_eq!(dispatch("backoff_min_ms = 70000"), "dispatch.backoff_min_ms");
    for field in ["batch_size_max", "in_flight_max", "prefetch", "send_by_ms", "interval_ms"] {
        assert_eq!(dispatch(&format!("{field} = 0")), format!("dispatch.{field}"));
    }
}

#[test]
fn audits_that_are_never_made_and_receipts_of_which_too_few_are_kept_are_refused() {
    let audits = "evidence.interval_ms, batch_size_max, audit_every_minutes, audit_sealed_every_hours";
    assert_eq!(refused_key(load("[evidence]\naudit_sealed_every_hours = 0\n", &[], &[])), audits);
    assert_eq!(refused_key(load("[receipts]\nlaid_aside_per_day_max = 99\n", &[], &[])), "receipts.laid_aside_per_day_max");
}

#[test]
fn a_rest_that_ends_before_the_calls_before_it_and_a_night_without_hours_are_refused() {
    assert_eq!(refused_key(load("[health]\nrest_min_ms = 20000\n", &[], &[])), "health.rest_min_ms");
    assert_eq!(refused_key(load("[health]\nrest_max_ms = 29999\n", &[], &[])), "health.rest_max_ms");
    assert_eq!(refused_key(load("[health]\nrest_max_ms = 86400001\n", &[], &[])), "health.rest_max_ms");
    assert_eq!(refused_key(load("[quiet]\nfrom = \"9 pm\"\n", &[], &[])), "quiet.from, quiet.until");
    assert!(load("[quiet]\nfrom = \"08:00\"\n", &[], &[]).unwrap().quiet.hours().is_none());
}

#[test]
fn a_live_lane_needs_credentials_that_are_not_the_demos() {
    assert_eq!(refused_key(lane("live = true\n")), "lanes.a.api_key");
    assert_eq!(refused_key(lane("live = true\napi_key = \"sandbox-key\"\nreceipt_secret = \"s\"\n")), "lanes.a.api_key");
    assert_eq!(
        refused_key(lane("live = true\napi_key = \"k\"\nreceipt_secret = \"sandbox-secret\"\n")),
        "lanes.a.receipt_secret"
    );
    // Whether its provider sends receipts, and so needs their secret, its account knows.
    let live = "live = true\napi_key = \"k\"\n";
    assert_eq!(refused_key(lane(live)), "evidence.host", "evidence of real people bears a real name");
    lane(&format!("{live}[evidence]\nhost = \"duly.northmere.police.uk\"\n")).unwrap();
}

#[test]
fn a_lane_that_could_not_work_is_refused() {
    assert_eq!(refused_key(lane("per_second = 0\n")), "lanes.a.per_second");
    assert_eq!(refused_key(lane("unknown_rule = \"guess\"\n")), "lanes.a.unknown_rule");
    assert_eq!(refused_key(lane("idempotent = true\n")), "lanes.a.key_life_seconds");
    assert_eq!(refused_key(lane("validity_seconds = 86400\n")), "lanes.a.validity_seconds");
    assert_eq!(lane("").unwrap().lanes["a"].validity_seconds, 77_760, "nine tenths of the day after which news are due");
    assert_eq!(refused_key(load("[lanes.a]\nchannel = \"fax\"\nurl = \"x\"\n", &[], &[])), "lanes.a.channel");
    assert_eq!(refused_key(load("[lanes.a_b]\nchannel = \"sms\"\nurl = \"x\"\n", &[], &[])), "lanes.a_b");
}

#[test]
fn weights_are_parts_of_one_whole_and_stand_at_all_who_share_or_at_none() {
    let lanes = |a: &str, b: &str| {
        let lane = |name, fields| format!("[lanes.{name}]\nchannel = \"sms\"\nurl = \"http://127.0.0.1\"\n{fields}\n");
        load(&(lane("a", a) + &lane("b", b)), &[], &[])
    };
    assert_eq!(refused_key(lanes("weight = 3", "")), "lanes.a.weight");
    assert_eq!(refused_key(lanes("weight = 10001", "weight = 1")), "lanes.a.weight");
    assert_eq!(lanes("weight = 3", "weight = 1").unwrap().lanes["a"].weight, 3);
    // A reserve shares with other reserves, and a letter lane with none of them.
    lanes("weight = 3", "reserve = true").unwrap();
    lanes("", "").unwrap();
}

#[test]
fn a_master_key_is_read_from_a_file_that_is_nobody_elses() {
    let key = file(&"07".repeat(32));
    let settings = load("", &[("DULY_KEYS__MASTER_FILE", &key.path().display().to_string())], &[]).unwrap();
    let mode = |mode| std::fs::set_permissions(key.path(), std::fs::Permissions::from_mode(mode)).unwrap();

    mode(0o600);
    assert_eq!(settings.master_key().unwrap().bytes(), &[7; 32]);
    for open in [0o640, 0o604, 0o622] {
        mode(open);
        assert!(matches!(settings.master_key(), Err(SettingsError::KeyFileExposed { .. })));
    }
    let nowhere = load("", &[("DULY_KEYS__MASTER_FILE", "/nowhere")], &[]).unwrap();
    assert!(matches!(nowhere.master_key(), Err(SettingsError::KeyFile { .. })));
}

#[test]
fn the_receipts_door_keeps_no_secret_but_its_own_and_those_of_receipts() {
    let text = "[database]\nreceipts_url = \"postgres://door\"\nowner_url_file = \"/nowhere/owner\"\n[broker]\nurl_file = \"/nowhere/broker\"\n\
         [evidence]\nhost = \"duly.northmere.police.uk\"\n[lanes.a]\nchannel = \"sms\"\nlive = true\nreceipt_secret = \"s\"\n\
         [lanes.b]\nchannel = \"sms\"\nlive = true\napi_key = \"k\"\napi_key_file = \"/nowhere/key\"\nreceipt_secret = \"s\"\n\
         [hand_over.smtp]\npassword_file = \"/nowhere/password\"\n[hand_over.to.northmere]\nwebhook_secret_file = \"/nowhere/secret\"\n";
    let door = |text: &str| Settings::load_for_receipts(&layers_with(Some(file(text).path()), [], &[]));

    let settings = door(text).unwrap();

    for lane in settings.lanes.values() {
        assert_eq!((lane.api_key.expose_secret(), lane.receipt_secret.expose_secret()), ("", "s"));
        assert!(lane.secret_files().is_empty(), "none is read later either");
    }
    assert_eq!(
        [&settings.database.url, &settings.database.owner_url, &settings.broker.url].map(|url| url.expose_secret()),
        [""; 3]
    );
    assert_eq!(settings.database.for_receipts().0.expose_secret(), "postgres://door");
    let demo = text.replacen("receipt_secret = \"s\"", "receipt_secret = \"sandbox-secret\"", 1);
    assert_eq!(refused_key(door(&demo)), "lanes.a.receipt_secret");
    assert!(load(text, &[], &[]).is_err(), "who sends needs the others");
}
