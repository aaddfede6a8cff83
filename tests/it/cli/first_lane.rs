//! The first steps of docs/providers.md: whoever copies them has lanes that answer at the sandbox, and live ones at the end.

use super::desk::Desk;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Stdio};

/// The settings and the sandbox's, as the page has them.
fn snippets() -> [String; 2] {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/providers.md")).unwrap();
    let steps = page.split("\n## ").find(|part| part.starts_with("Your first real lane\n")).unwrap().to_owned();
    let blocks: Vec<&str> = steps.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let [settings, sandbox] = blocks[..] else { panic!("{steps}") };
    [settings.to_owned(), sandbox.to_owned()]
}

/// A sandbox of its own process, ended with this value.
struct Sandbox(Child);

impl Drop for Sandbox {
    fn drop(&mut self) {
        if self.0.kill().is_ok() && self.0.wait().is_err() {
            eprintln!("a process was left behind");
        }
    }
}

#[tokio::test]
async fn the_first_lanes_of_the_page_rehearse_at_the_sandbox_and_are_live_with_the_last_step() {
    let mut desk = Desk::with_incident("first_lane", "1").await;
    desk.variables.retain(|(name, _)| !name.starts_with("DULY_LANES__"));
    let [settings, sandbox] = snippets();
    let config: toml::Table = toml::from_str(&sandbox).unwrap();
    let secret = |name: &str| config[name].as_str().unwrap().to_owned();
    desk.write("notify.key", &secret("api_key"));
    desk.write("notify.token", &secret("secret"));
    desk.write("sandbox.toml", &sandbox);
    let args = ["sandbox", "--config", "sandbox.toml", "--listen", "127.0.0.1:0"];
    let mut sandbox = Sandbox(desk.command(&args).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap());
    let mut url = String::new();
    BufReader::new(sandbox.0.stdout.take().unwrap()).read_line(&mut url).unwrap();
    let here = "http://127.0.0.1:8380";
    assert_eq!(settings.matches(here).count(), 2, "{settings}");
    desk.write("duly.toml", &settings.replace(here, url.trim()));
    desk.set("DULY_SETTINGS", "duly.toml");

    for lane in ["texts", "letters"] {
        let checked = desk.duly("ann", &["provider", "check", lane]).fine().out;
        assert!(checked.contains("at the sandbox, not live: answers and takes the credentials"), "{checked}");
    }
    let listed = desk.duly("ann", &["provider", "list"]).fine().out;
    assert_eq!(listed.matches("nobody: sandbox").count(), 2, "{listed}");
    for lane in ["texts", "letters"] {
        assert!(listed.contains(&format!("https://receipts.northmere.example/receipts/northmere/{lane}\n")), "{listed}");
    }

    let live: Vec<&str> = settings.lines().filter(|line| !line.starts_with("url = ")).collect();
    desk.write("duly.toml", &live.join("\n").replace("provider = \"notify\"", "provider = \"notify\"\nlive = true"));
    let lanes = desk.duly("ann", &["provider", "list", "--json"]).fine().json()["lanes"].clone();
    let reached: Vec<bool> = lanes.as_array().unwrap().iter().map(|lane| lane["reaches"] == "people").collect();
    assert_eq!(reached, [true, true], "{lanes}");
}
