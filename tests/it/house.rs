//! The house: what every reader of the sources may rely on, checked by reading them.

mod names;

use crate::schema::ask_migrated;
use duly::model::state::{MessageState, NoticeState};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Families of evidence kinds, as written in the code.
const FAMILIES: &[&str] = &[
    "message",
    "receipt",
    "list",
    "plan",
    "hold",
    "notice",
    "person",
    "row",
    "key",
    "contact",
    "incident",
    "controller",
    "template",
    "log",
    "program",
    "audit",
    "lane",
    "checkpoint",
    "user",
    "export",
    "view",
    "restore",
    "pack",
    "statement",
    "check",
];

/// What stands behind a family's name and is no kind: endings of files.
const ENDINGS: &[&str] = &["key", "vkey", "json", "zip"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What an auditor runs must run on any system: nothing in it is for one alone, and nothing in what it is made of.
#[test]
fn the_verifier_is_bound_to_no_system() {
    for (path, text) in files("crates/ledger/src", ".rs") {
        for bound in ["std::os", "cfg(unix", "cfg(windows", "cfg(target", "cfg!(", "libc::", "extern \"C\"", "\"/dev/", "\"/tmp"]
        {
            assert!(!text.contains(bound), "{path}: {bound}");
        }
    }
    let manifest = read("crates/ledger/Cargo.toml");
    assert!(!manifest.contains("[target") && !manifest.contains("build ="), "{manifest}");
}

/// Every file below `folder` with this ending, by its path from the root, in order.
fn files(folder: &str, ending: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                let name = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.insert(name, std::fs::read_to_string(&path).unwrap());
            }
        }
    }
    found
}

fn sources() -> BTreeMap<String, String> {
    let mut all = files("src", ".rs");
    for package in std::fs::read_dir(root().join("crates")).unwrap() {
        let name = package.unwrap().file_name().into_string().unwrap();
        all.extend(files(&format!("crates/{name}"), ".rs"));
    }
    all
}

/// What stands between `before` and one of `after`, at each place where `before` stands.
fn between<'a>(text: &'a str, before: &str, after: &[char]) -> Vec<&'a str> {
    text.split(before).skip(1).filter_map(|rest| rest.split(after).next()).collect()
}

/// The modules that a file names by `crate::…`, also in braces.
fn imports(text: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for rest in text.split("crate::").skip(1) {
        let list = match rest.strip_prefix('{') {
            Some(inner) => top_level(inner),
            None => vec![rest],
        };
        names.extend(list.iter().map(|name| name.trim().chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()));
    }
    names
}

/// Splits `a, b::{c, d}, e}` at the commas outside of inner braces.
fn top_level(inner: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_i32, 0, Vec::new());
    for (at, c) in inner.char_indices() {
        match c {
            '{' => depth += 1,
            ',' if depth == 0 => {
                parts.push(&inner[start..at]);
                start = at + 1;
            }
            '}' if depth == 0 => {
                parts.push(&inner[start..at]);
                return parts;
            }
            '}' => depth -= 1,
            _ => {}
        }
    }
    parts
}

#[test]
fn imports_point_down_the_map() {
    let map = read("src/lib.rs");
    let order: Vec<&str> = between(&map, "\npub mod ", &[';']);
    assert!(order.len() > 8, "{order:?}");
    let place = |module: &str| order.iter().position(|m| *m == module);

    let mut wrong = Vec::new();
    for (path, text) in files("src", ".rs") {
        let module = path.trim_start_matches("src/").split(['/', '.']).next().unwrap();
        let Some(own) = place(module) else { continue };
        for name in imports(&text) {
            match place(&name) {
                Some(other) if other >= own => {}
                Some(_) => wrong.push(format!("{path} imports {name}, which stands above {module} in src/lib.rs")),
                None => wrong.push(format!("{path} names crate::{name}, which src/lib.rs does not list")),
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn only_the_store_speaks_sql() {
    let outside: Vec<String> = files("src", ".rs")
        .into_iter()
        .filter(|(path, text)| path != "src/store.rs" && !path.starts_with("src/store/") && text.contains("sqlx"))
        .map(|(path, _)| path)
        .collect();

    assert!(outside.is_empty(), "these files use sqlx: {outside:?}");
}

#[test]
fn files_are_short_and_modules_have_names_that_say_something() {
    let mut wrong = Vec::new();
    let mut all = sources();
    all.extend(files("tests", ".rs"));
    for (path, text) in all {
        let lines = text.lines().count();
        if lines > 400 {
            wrong.push(format!("{path} has {lines} lines; split it at 400"));
        }
        let stem = Path::new(&path).file_stem().unwrap().to_str().unwrap().to_owned();
        if ["mod", "utils", "util", "common", "helpers", "types", "manager", "service"].contains(&stem.as_str()) {
            wrong.push(format!("{path}: the name says nothing"));
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn nothing_is_left_for_later_and_no_lint_is_silenced_without_a_reason() {
    // Spelt in parts, so that this file does not find itself.
    let words = [["TO", "DO"], ["FIX", "ME"], ["let _", " ="], ["#[al", "low("], ["#![al", "low("]].map(|w| w.concat());
    let mut wrong = Vec::new();
    let mut all = sources();
    all.extend(files("tests", ".rs"));
    for (path, text) in &all {
        for word in words.iter().filter(|word| text.contains(word.as_str())) {
            wrong.push(format!("{path} has `{word}`"));
        }
        for expectation in between(text, &["[exp", "ect("].concat(), &[']']) {
            if !expectation.contains("reason = \"") {
                wrong.push(format!("{path}: an expectation of `{expectation}` gives no reason"));
            }
        }
    }

    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_setting_has_a_comment_of_its_own() {
    let text = read("config/default.toml");
    let lines: Vec<&str> = text.lines().collect();
    let is_key = |line: &str| line.split_once(" = ").is_some_and(|(key, _)| key.chars().all(|c| c.is_alphanumeric() || c == '_'));

    let bare: Vec<&&str> =
        lines.windows(2).filter(|pair| is_key(pair[1]) && !pair[0].starts_with("# ")).map(|pair| &pair[1]).collect();

    assert!(lines.iter().filter(|line| is_key(line)).count() > 20);
    assert!(bare.is_empty(), "without a comment above: {bare:?}");
}

#[test]
fn every_column_has_a_comment() {
    let mut bare = Vec::new();
    for (path, text) in files("migrations", ".sql") {
        for table in between(&text, "\ncreate table ", &[';']) {
            let (name, body) = table.split_once('(').unwrap();
            let mut columns: Vec<String> = Vec::new();
            for line in body.lines().skip(1) {
                // A column begins at four spaces; what is deeper continues it.
                match columns.last_mut() {
                    Some(last) if !line.starts_with("    ") || line.starts_with("     ") => last.push_str(line),
                    _ => columns.push(line.trim().to_owned()),
                }
            }
            let rules = ["primary ", "unique ", "foreign ", "check ", "constraint ", ")"];
            let is_column = |text: &&String| !rules.iter().any(|rule| text.starts_with(rule));
            let silent = columns.iter().filter(is_column).filter(|text| !text.contains("-- "));
            bare.extend(silent.map(|text| format!("{path}: {} {text}", name.trim())));
        }
    }

    assert!(bare.is_empty(), "{}", bare.join("\n"));
}

#[test]
fn the_papers_are_there_and_their_links_lead_somewhere() {
    let papers = ["README.md", "ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs/evidence-format.md"];
    let others = ["LICENSE-APACHE", "LICENSE-MIT", "deny.toml", "docker-compose.yml"];
    for paper in papers.iter().chain(&others) {
        assert!(!read(paper).trim().is_empty(), "{paper} is empty");
    }

    for paper in papers {
        let text = read(paper);
        let folder = root().join(paper).parent().unwrap().to_owned();
        for link in between(&text, "](", &[')']).into_iter().filter(|link| !link.contains("://") && !link.starts_with('#')) {
            let file = link.split('#').next().unwrap();
            assert!(folder.join(file).exists(), "{paper} links to {link}, which does not exist");
        }
    }

    let readme = read("README.md");
    assert!(readme.contains("make demo") && readme.contains("make test"));
    assert!(read("ARCHITECTURE.md").lines().count() <= 200, "ARCHITECTURE.md is longer than 200 lines");
}

#[test]
fn every_kind_of_event_stands_in_the_format() {
    // A template's names look alike, and no event is written there.
    let sources = files("src", ".rs").into_iter().filter(|(path, _)| !path.contains("src/render/"));
    let code: String = sources.map(|(_, text)| text).collect();
    let written: BTreeSet<&str> = code
        .split('"')
        .filter(|literal| {
            literal.split_once('.').is_some_and(|(family, rest)| {
                FAMILIES.contains(&family)
                    && !rest.is_empty()
                    && !ENDINGS.contains(&rest)
                    && rest.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            })
        })
        .collect();
    let format = read("docs/evidence-format.md");
    let described: BTreeSet<&str> = format
        .split("## Kinds")
        .nth(1)
        .and_then(|rest| rest.split("\n## ").next())
        .unwrap()
        .lines()
        .flat_map(|line| between(line, "| `", &['`']).into_iter().take(1))
        .collect();

    assert!(written.len() > 15, "{written:?}");
    let missing: Vec<&&str> = written.difference(&described).collect();
    assert!(missing.is_empty(), "docs/evidence-format.md does not describe {missing:?}");
    let strange: Vec<&&str> = described.iter().filter(|kind| !FAMILIES.contains(&kind.split('.').next().unwrap())).collect();
    assert!(strange.is_empty(), "{strange:?} belong to a family that this test does not know, and would miss another kind of");
    let invented: Vec<&&str> = described.iter().filter(|kind| !code.contains(&format!("\"{kind}\""))).collect();
    assert!(invented.is_empty(), "docs/evidence-format.md describes {invented:?}, which nothing writes");
}

type Moves = BTreeSet<(MessageState, MessageState)>;

/// Reads the drawing by its own rules: inside the box every path is a move, and an arrow into the box leads to its
/// target and to all that can be reached from there.
fn drawn() -> Moves {
    let page = read("ARCHITECTURE.md");
    let drawing = page.split("stateDiagram-v2").nth(1).unwrap().split("```").next().unwrap();
    let (before, rest) = drawing.split_once("state reports {").unwrap();
    let (inside, after) = rest.split_once('}').unwrap();
    let arrows = |text: &str| -> Vec<(MessageState, MessageState)> {
        text.lines()
            .filter_map(|line| line.split_once("-->"))
            .map(|(from, to)| (from.trim(), to.split(':').next().unwrap().trim()))
            .filter(|(from, _)| *from != "[*]")
            .map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap()))
            .collect()
    };
    let mut behind: Moves = arrows(inside).into_iter().collect();
    let is_report: BTreeSet<MessageState> = behind.iter().flat_map(|&(from, to)| [from, to]).collect();
    loop {
        let longer: Moves = behind
            .iter()
            .flat_map(|&(from, over)| behind.iter().filter(move |(o, _)| *o == over).map(move |&(_, to)| (from, to)))
            .collect();
        let known = behind.len();
        behind.extend(longer);
        if behind.len() == known {
            break;
        }
    }
    let mut moves = behind.clone();
    for (from, to) in arrows(before).into_iter().chain(arrows(after)) {
        moves.insert((from, to));
        if is_report.contains(&to) && !is_report.contains(&from) {
            moves.extend(behind.iter().filter(|(over, _)| *over == to).map(|&(_, later)| (from, later)));
        }
    }
    moves
}

#[test]
fn the_drawing_of_states_shows_exactly_the_moves_of_the_model() {
    let every = || MessageState::ALL.iter().flat_map(|&from| MessageState::ALL.iter().map(move |&to| (from, to)));
    let model: Moves = every().filter(|(from, to)| from.can_become(*to)).collect();

    let drawn = drawn();

    assert_eq!(model.difference(&drawn).collect::<Vec<_>>(), Vec::<&(MessageState, MessageState)>::new(), "not drawn");
    assert_eq!(
        drawn.difference(&model).collect::<Vec<_>>(),
        Vec::<&(MessageState, MessageState)>::new(),
        "drawn, and not allowed"
    );
}

#[test]
fn the_drawing_of_notices_shows_exactly_the_moves_of_the_model() {
    let page = read("ARCHITECTURE.md");
    let line = page.lines().find(|line| line.starts_with("A notice moves so")).unwrap();
    let words =
        |text: &str| -> Vec<NoticeState> { between(text, " `", &['`']).iter().filter_map(|word| word.parse().ok()).collect() };
    let drawn: BTreeSet<(NoticeState, NoticeState)> = line
        .split(';')
        .filter_map(|moves| moves.split_once('→'))
        .flat_map(|(from, to)| words(from).into_iter().flat_map(move |from| words(to).into_iter().map(move |to| (from, to))))
        .collect();

    let every = NoticeState::ALL.iter().flat_map(|&from| NoticeState::ALL.iter().map(move |&to| (from, to)));
    let model = every.filter(|(from, to)| from.can_become(*to)).collect();
    assert_eq!(drawn, model);
}

#[tokio::test]
async fn the_drawing_of_states_shows_exactly_the_moves_of_the_database() {
    let rows: Vec<(String, String)> = ask_migrated("house", "select from_state, to_state from message_move").await;

    let stored: Moves = rows.iter().map(|(from, to)| (from.parse().unwrap(), to.parse().unwrap())).collect();

    let drawn = drawn();
    assert!(stored == drawn, "the table message_move and the drawing differ in {:?}", stored.symmetric_difference(&drawn));
}
