//! The demo: a list goes out through the sandbox, a worker is killed, nobody is lost and nobody told twice.

mod ground;
mod proof;
mod verdict;

use super::output::figure;
use super::{Failure, Refusal};
use crate::config::{self, Settings};
use crate::dispatch::Office;
use crate::intake::csv::Mapping;
use crate::intake::{csv, list};
use crate::store::incident::Incident;
use clap::Args;
use duly_sandbox::{SandboxState, write_people};
use ground::Ground;
use secrecy::ExposeSecret;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};
use tokio::process::{Child, Command};
use verdict::Run;

/// Fewer people do not meet every fault of config/sandbox.toml, and the run would show less than it says.
const PEOPLE_MIN: u64 = 500;

/// `duly demo`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly demo\n  duly demo --people 500 --seed 3\n  duly demo --name second    beside another one that runs, with a virtual host of its own in AMQP_URL\n\nNeeds DATABASE_URL and AMQP_URL, as `eval \"$(scripts/services env)\"` sets them; `make demo` does all of it."
)]
pub struct Demo {
    /// Made-up people, at least 500
    #[arg(long, default_value_t = 5000)]
    people: u64,
    /// Seed of people and faults
    #[arg(long, default_value_t = 7)]
    seed: u64,
    /// Longest time of all, up to the last page, seconds: what takes longer does not hold
    #[arg(long, default_value_t = 179)]
    seconds_max: u64,
    /// Of one beside another: its folder is target/demo-NAME and its database duly_demo_NAME, both made anew
    #[arg(long, value_parser = own_name)]
    name: Option<String>,
}

/// Letters and digits: it becomes part of the names of a folder and of a database.
fn own_name(text: &str) -> Result<String, String> {
    let is_plain = !text.is_empty() && text.len() <= 40 && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    is_plain.then(|| text.to_owned()).ok_or_else(|| "write at most 40 lower-case letters and digits".to_owned())
}

/// The time of the whole demo, its proof and its last page among it.
#[derive(Clone, Copy)]
struct Time {
    started: Instant,
    seconds_max: u64,
}

impl Time {
    fn seconds(self) -> u64 {
        self.started.elapsed().as_secs()
    }

    fn is_over(self) -> bool {
        self.seconds() > self.seconds_max
    }
}

/// When a worker dies: early in the run, and with calls of its own at the providers.
struct Kill {
    /// Messages that were produced before.
    produced: u64,
    /// Calls at the providers at that moment.
    in_flight: u64,
}

impl Kill {
    /// In proportion to the people: a run of a few hundred is over before as much is under way as in one of thousands.
    fn of(people: u64) -> Result<Self, Failure> {
        if people < PEOPLE_MIN {
            return Err(Refusal::of(
                format!(
                    "{people} people are too few: not every fault of the simulator would fire, and the run would show nothing"
                ),
                format!("give `--people {PEOPLE_MIN}` or more"),
            ));
        }
        Ok(Self { produced: (people / 8).min(600), in_flight: (people / 50).clamp(10, 20) })
    }
}

/// Runs the demo; an error where anything does not hold.
pub async fn run(args: Demo) -> Result<(), Failure> {
    let kill = Kill::of(args.people)?;
    let time = Time { started: Instant::now(), seconds_max: args.seconds_max };
    let (folder, database) = match &args.name {
        None => (PathBuf::from("target/demo"), "duly_demo".to_owned()),
        Some(name) => (PathBuf::from(format!("target/demo-{name}")), format!("duly_demo_{name}")),
    };
    let folder = folder.as_path();
    std::fs::create_dir_all(folder)?;
    println!(
        "Duly tells {} made-up people by text message and letter, through a simulator of providers.",
        figure_of(args.people)
    );
    println!("The simulator rejects, delays, cuts and forges on purpose. Nothing leaves this machine.\n");
    let ground = Ground::lay(folder, &database, &args).await?;
    let rows_read = import(&ground, folder, &args).await?;
    ground.approve_and_go().await?;
    say("plan", &format!("prepared by Ann, approved by Bob, sending after {} s", time.seconds()));

    let start = |roles: &[&str]| spawn(&ground.settings, folder, roles);
    let mut crew = vec![start(&["web", "scheduler"])?, start(&["worker"])?];
    let mut victim = start(&["worker"])?;
    let flight = wait_for_flight(&ground.sandbox, &kill, time).await;
    victim.kill().await?;
    let open = if let Some(in_flight) = flight {
        crew.push(start(&["worker"])?);
        say("killed", &format!("one of two workers, by SIGKILL, with {in_flight} calls at the providers; another one starts"));
        wait_until_told(&ground.office, &ground.incident, time).await?
    } else {
        ground.office.store.count_open_notices(ground.incident.key).await?
    };
    for child in &mut crew {
        child.kill().await?;
    }
    Run { ground, rows_read, open, is_disturbed: flight.is_some(), time }.report(folder).await
}

fn figure_of(n: u64) -> String {
    figure(i64::try_from(n).unwrap_or(i64::MAX))
}

fn say(what: &str, text: &str) {
    println!("{what:<10}{text}");
}

async fn import(ground: &Ground, folder: &Path, args: &Demo) -> Result<u64, Failure> {
    let path = folder.join("affected.csv");
    write_people(&mut BufWriter::new(File::create(&path)?), args.people, args.seed)?;
    let key = ground.office.master.unwrap_key(&ground.incident.wrapped_key, "incident")?;
    let report = list::import(&ground.office.store, &ground.incident, &key, &path, &Mapping::default(), |_| {}).await?;
    // A reader of its own counts the file again: one side of the equation.
    let rows_read = csv::count_rows(File::open(&path)?)?;
    let [people, duplicates, quarantined] = [report.people, report.duplicates, report.quarantined].map(figure_of);
    say(
        "list",
        &format!("{} rows = {people} people + {duplicates} duplicates + {quarantined} quarantined", figure_of(rows_read)),
    );
    Ok(rows_read)
}

fn spawn(settings: &Settings, folder: &Path, roles: &[&str]) -> Result<Child, Failure> {
    let log = OpenOptions::new().create(true).append(true).open(folder.join("serve.log"))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args(["--settings", "config/demo.toml", "serve"]).args(roles);
    // Secrets travel by environment and file, never on a command line.
    command.env("DULY_DATABASE__URL", settings.database.url.expose_secret());
    command.env("DULY_BROKER__URL", settings.broker.url.expose_secret());
    command.env("DULY_KEYS__MASTER_FILE", &settings.keys.master_file);
    command.env("DULY_KEYS__LOG_FILE", &settings.keys.log_file);
    command.env("DULY_EVIDENCE__OUTSIDE", &settings.evidence.outside);
    // One process has the address that the providers know; the others take any.
    let listen = if roles.contains(&"web") { settings.web.listen.as_str() } else { "127.0.0.1:0" };
    command.env("DULY_WEB__LISTEN", listen);
    for (name, lane) in &settings.lanes {
        command.env(config::variable_of(&format!("lanes.{name}.url")), &lane.url);
        command.env(config::variable_of(&format!("lanes.{name}.per_second")), lane.per_second.to_string());
    }
    Ok(command.env("RUST_LOG", "warn").stderr(Stdio::from(log)).kill_on_drop(true).spawn()?)
}

/// Calls at the providers once there are enough of them; `None` where there never were.
async fn wait_for_flight(sandbox: &SandboxState, kill: &Kill, time: Time) -> Option<u64> {
    let until = Instant::now() + Duration::from_secs(60);
    while Instant::now() < until && !time.is_over() {
        let flying: u64 = sandbox.in_flight().values().sum();
        if flying >= kill.in_flight && sandbox.record().len() as u64 >= kill.produced {
            return Some(flying);
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    None
}

async fn wait_until_told(office: &Office, incident: &Incident, time: Time) -> Result<i64, Failure> {
    let is_terminal = std::io::stdout().is_terminal();
    loop {
        let open = office.store.count_open_notices(incident.key).await?;
        let equation = office.store.equation(incident.key).await?;
        let told = equation.person_states.get("notified").copied().unwrap_or(0);
        let line = format!(
            "{:<10}{} of {} notified, {} open",
            format!("{} s", time.seconds()),
            figure(told),
            figure(equation.people),
            figure(open)
        );
        if is_terminal {
            print!("\r{line}      ");
            std::io::stdout().flush()?;
        } else {
            println!("{line}");
        }
        if open == 0 || time.is_over() {
            println!();
            return Ok(open);
        }
        tokio::time::sleep(Duration::from_secs(if is_terminal { 1 } else { 5 })).await;
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn the_kill_comes_in_proportion_to_the_people_and_too_few_are_refused() {
        let of = |people| Kill::of(people).map(|kill| (kill.produced, kill.in_flight)).ok();

        assert_eq!([of(500), of(5000), of(100_000)], [Some((62, 10)), Some((600, 20)), Some((600, 20))]);
        assert_eq!(of(499), None);
        let refused = Kill::of(20).err().unwrap().text(str::to_owned);
        assert!(refused.contains("20 people are too few") && refused.contains("--people 500"), "{refused}");
    }
}
