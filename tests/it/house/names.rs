//! No code outside of `src/provider` decides by a provider's name.

use super::files;
use duly::provider::choose::KINDS;

/// Names of providers that are words of many other things: only where something is decided by one does it mean a provider.
const COMMON: &[&str] = &["file", "http", "sandbox", "smtp"];
/// The one other choice between such words: how a URL begins.
const SCHEMES: &str = "\"http\" | \"https\"";
/// What stands before a word by which something is decided, and what stands after it.
const BEFORE: &[&str] = &["==", "!=", "|", "Some(", "contains(&", "starts_with(", "eq(", "matches!("];
const AFTER: &[&str] = &["=>", "==", "!=", "|"];

/// The first name by which this code decides something.
fn decides_by_name(code: &str) -> Option<&'static str> {
    let code = code.replace(SCHEMES, "");
    let names_module = |kind: &str| {
        let constant = format!("{kind}::KIND");
        code.match_indices(&constant).any(|(at, _)| !code[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_'))
    };
    KINDS.iter().copied().find(|kind| {
        let literal = format!("\"{kind}\"");
        let is_there = code.contains(&literal);
        let is_meant = !COMMON.contains(kind) || code.match_indices(&literal).any(|(at, _)| is_decided(&code, at, literal.len()));
        is_there && is_meant || names_module(kind)
    })
}

/// Whether something is decided by the word of this length at this place.
fn is_decided(code: &str, at: usize, length: usize) -> bool {
    let (before, after) = (code[..at].trim_end(), code[at + length..].trim_start());
    let is_list = |list: &str| list.chars().all(|c| c.is_ascii_alphanumeric() || "\"_-, \n".contains(c));
    let in_list = before.rsplit_once('[').is_some_and(|(_, list)| is_list(list))
        && after.split_once(']').is_some_and(|(list, then)| is_list(list) && then.trim_start().starts_with(".contains("));
    in_list || BEFORE.iter().any(|sign| before.ends_with(sign)) || AFTER.iter().any(|sign| after.starts_with(sign))
}

#[test]
fn no_provider_is_known_by_name_outside_of_its_folder() {
    let outside: Vec<(String, &str)> = files("src", ".rs")
        .into_iter()
        .filter(|(path, _)| !path.starts_with("src/provider"))
        .filter_map(|(path, text)| Some((path, decides_by_name(&text)?)))
        .collect();
    assert_eq!(outside, [], "whatever is decided of a provider is decided by its capabilities");
}

#[test]
fn code_that_decides_by_a_providers_name_is_seen_in_whatever_form_it_is_written() {
    for code in [
        "if account.kind == \"http\" {",
        "if \"file\" != account.kind",
        "match lane.provider.as_str() {\n    \"smtp\" => 1,\n    _ => 2 }",
        "matches!(kind, \"file\" | \"smtp\")",
        "matches!(kind,\n    | \"file\")",
        "lanes.iter().find(|lane| lane.provider.as_str().eq(\"smtp\"))",
        "[\"file\", \"smtp\"].contains(&account.kind)",
        "kinds.contains(&\"http\")",
        "if let Some(\"sandbox\") = kind {",
        "account.kind == file::KIND",
        "let name = \"notify\";",
        "\"twilio\"",
    ] {
        assert!(decides_by_name(code).is_some(), "{code}");
    }
    for code in [
        "json!({\"file\": out, \"rows\": n})",
        "store.find_list(key, \"file\", Some(hash))",
        "let heads = [\"handed over\", \"file\"].map(str::to_owned);",
        "matches!(url.scheme(), \"http\" | \"https\")",
        "(\"Run\", &[\"serve\", \"sandbox\", \"demo\"]),",
        "\"sandbox\".to_owned()",
    ] {
        assert_eq!(decides_by_name(code), None, "{code}");
    }
}
