//! What letters cost: speed of one core, memory over a large run, bytes, and the same letter by WeasyPrint in the same run.
//! Merges its figures into target/bench/latest.json. `BENCH_SCALE=100` runs a hundredth of the letters, to try the benchmark
//! itself: its figures say of how many letters they are.
#![expect(
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::cast_precision_loss,
    reason = "a benchmark stops where something is wrong"
)]

use duly_letter::{Labels, Letter, LetterDate, Letterhead, Logo, Part, Print, Sheet, Typesetter, escape, join};
use fast_qr::{ECL, QRBuilder};
use serde_json::{Value, json};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

const TEXT: &str = include_str!("../tests/letters/text.en.typ");
const LOGO: &str = r##"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 60 60"><path d="M30 2 54 11V31C54 45 43 54 30 58 17 54 6 45 6 31V11Z" fill="#1d3557"/></svg>"##;
/// Letters of a batch for a print house.
const BATCH_MAX: usize = 100;
/// People in a run such as the one that Duly was made for.
const RUN: usize = 47_000;

/// As lists have them.
const NAMES: [&str; 5] = ["Person Number", "Siân O'Brien-Ŵyn", "Łukasz", "Mx Oluwaseun Temitope Adeyemi", "Nguyễn Thị Ánh"];

fn main() {
    let scale: usize = std::env::var("BENCH_SCALE").ok().and_then(|s| s.parse().ok()).unwrap_or(1);
    let count = (RUN / scale.max(1)).max(BATCH_MAX);
    eprintln!("{count} of {RUN} letters (BENCH_SCALE={scale}), one thread …");
    let (rate, bytes, rss) = run(count);
    let weasyprint = weasyprint();
    let conditions = format!(
        "{count} of {RUN} letters of {} words, A4, logo and QR code, PDF/A-2a and PDF/UA-1, 1 thread",
        TEXT.split_whitespace().count()
    );
    let mut entries = vec![
        entry("letters_per_second_per_core", json!(rate), "letters/CPU-second", &conditions, "goal 180", json!(rate / 180.0)),
        entry("letters_rss_mb", json!(rss), "MB at most", &conditions, "goal 300 MB", json!(300.0 / rss)),
        entry("letter_kb", json!(bytes), "kB", &conditions, "goal 40 kB", json!(40.0 / bytes)),
        {
            let in_batch = in_batch();
            entry(
                "letter_in_batch_kb",
                json!(in_batch),
                "kB",
                "100 approved letters joined for a print house",
                "goal 12 kB",
                json!(12.0 / in_batch),
            )
        },
    ];
    for (name, of, how) in [
        ("letters_vs_weasyprint", weasyprint["alone"].as_f64(), "fonts cut in Python, as WeasyPrint alone does; goal 60 times"),
        ("letters_vs_weasyprint_harfbuzz", weasyprint["with_harfbuzz"].as_f64(), "fonts cut by the system's HarfBuzz"),
    ] {
        let times = json!(of.map(|of| rate / of));
        let baseline = of.map_or("not found: not measured".to_owned(), |of| format!("WeasyPrint {of:.2}/CPU-second, {how}"));
        entries.push(entry(name, times.clone(), "times", &conditions, &baseline, times));
    }
    merge(&entries);
    eprintln!("{}", serde_json::to_string_pretty(&entries).unwrap());
}

fn entry(name: &str, value: Value, unit: &str, conditions: &str, baseline: &str, ratio: Value) -> Value {
    json!({ "name": name, "value": value, "unit": unit, "conditions": conditions, "baseline": baseline, "ratio": ratio })
}

fn with_letter<T>(number: usize, then: impl FnOnce(&Letter<'_>) -> T) -> T {
    // No two alike, and of different lengths: what is the same in all letters is laid out once.
    let name = format!("{} {number}", NAMES[number % NAMES.len()]);
    let street = format!("{} Orchard Terrace", number % 200 + 1);
    let address = [name.as_str(), &street, "Northmere", "NE3 7QD"].map(str::to_owned);
    let lines = ["Northmere Police", "1 Station Road", "Northmere NE1 4XF"].map(str::to_owned);
    let code = format!("7K4T-{number:05}");
    let labels = Labels {
        date: "23 November 2026",
        reference: "Your reference",
        page: "Page {page} of {pages}",
        check: "Check that this letter is real",
    };
    then(&Letter {
        sheet: Sheet::A4,
        print: Print::Standard,
        letterhead: Letterhead {
            lines: &lines,
            logo: Some(Logo { bytes: LOGO.as_bytes(), alt: "Badge" }),
            signature: None,
            discreet: false,
        },
        address: &address,
        reference_code: &code,
        check_page: Some("https://northmere.police.uk/check"),
        date: LetterDate { year: 2026, month: 11, day: 23 },
        part: Part { language: "en-GB", title: "Your personal data", labels, body: &TEXT.replace("{name}", &escape(&name)) },
        translation: None,
        ident: &code,
    })
}

/// Letters per CPU-second, kB per letter, the most MB that were ever resident.
fn run(count: usize) -> (f64, f64, f64) {
    let mut typesetter = Typesetter::new().unwrap();
    let (mut bytes, start) = (0, cpu_seconds());
    for number in 0..count {
        bytes += with_letter(number, |letter| typesetter.typeset(letter).unwrap().pdf.len());
    }
    let rate = count as f64 / (cpu_seconds() - start);
    (rate, bytes as f64 / 1000.0 / count as f64, resident_mb_at_most())
}

fn in_batch() -> f64 {
    let mut typesetter = Typesetter::new().unwrap();
    let letters: Vec<_> =
        (0..BATCH_MAX).map(|number| with_letter(number, |letter| typesetter.typeset(letter).unwrap().pdf)).collect();
    let joined = join(&letters.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
    joined.pdf.len() as f64 / 1000.0 / BATCH_MAX as f64
}

fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    // User and system time, in ticks of a hundredth of a second.
    fields[11..13].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum::<f64>() / 100.0
}

fn resident_mb_at_most() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() * 1024.0 / 1e6
}

/// Letters that WeasyPrint makes: enough of a program that takes a tenth of a second for each.
const OF_WEASYPRINT: usize = 50;

/// Letters per CPU-second of WeasyPrint where a python has it: the first of the same letters, of which it is given the logo
/// and the code as drawings.
fn weasyprint() -> Value {
    ask_weasyprint().unwrap_or_default()
}

fn ask_weasyprint() -> Option<Value> {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/weasyprint_letters.py");
    let letters: Vec<Value> = (0..OF_WEASYPRINT).map(|number| with_letter(number, as_json)).collect();
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let mut command = Command::new(python);
    command.args([script, concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench/weasyprint.pdf")]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().ok()?;
    // One that has no WeasyPrint ends before it reads.
    child.stdin.take()?.write_all(&serde_json::to_vec(&letters).unwrap()).ok();
    let output = child.wait_with_output().ok()?;
    serde_json::from_slice(&output.stdout).ok()
}

fn as_json(letter: &Letter<'_>) -> Value {
    let LetterDate { year, month, day } = letter.date;
    json!({
        "title": letter.part.title, "logo": LOGO, "letterhead": letter.letterhead.lines, "address": letter.address,
        "date": format!("{day}/{month}/{year}"), "reference": letter.reference_code, "body": letter.part.body,
        "code": drawn(letter.check_page.unwrap()), "check_page": letter.check_page,
    })
}

fn drawn(url: &str) -> String {
    let code = QRBuilder::new(url).ecl(ECL::M).build().unwrap();
    let dark = (0..code.size * code.size).filter(|at| code[at / code.size][at % code.size].value());
    let path: String = dark.map(|at| format!("M{} {}h1v1h-1z", at % code.size, at / code.size)).collect();
    format!(r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="-4 -4 {0} {0}"><path d="{path}"/></svg>"#, code.size + 8)
}

/// Replaces entries of the same name; the others' figures stay.
fn merge(entries: &[Value]) {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../target/bench"));
    let path = folder.join("latest.json");
    let mut all: Vec<Value> = std::fs::read(&path).ok().and_then(|json| serde_json::from_slice(&json).ok()).unwrap_or_default();
    all.retain(|old| entries.iter().all(|new| new["name"] != old["name"]));
    all.extend(entries.iter().cloned());
    std::fs::create_dir_all(folder).unwrap();
    std::fs::write(path, serde_json::to_string_pretty(&all).unwrap()).unwrap();
}
