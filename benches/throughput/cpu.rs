//! CPU time of this process and of the services beside it, as the kernel counts it.

use std::fs;

/// Name of the simulator's thread.
pub const SIMULATOR: &str = "simulator";

/// CPU seconds spent so far.
#[derive(Debug, Clone, Copy)]
pub struct Spent {
    /// This process without the simulator in it.
    pub own: f64,
    /// Postgres, all processes of this machine.
    pub postgres: f64,
    /// RabbitMQ.
    pub rabbitmq: f64,
}

impl Spent {
    /// Reads it now.
    pub fn now() -> Self {
        let own = seconds("self").map_or(0.0, |(_, s)| s) - simulator();
        let mut spent = Self { own, postgres: 0.0, rabbitmq: 0.0 };
        for entry in fs::read_dir("/proc").unwrap().flatten() {
            let Some((name, seconds)) = entry.file_name().to_str().and_then(seconds) else { continue };
            match name.as_str() {
                "postgres" => spent.postgres += seconds,
                name if name.contains("beam") => spent.rabbitmq += seconds,
                _ => {}
            }
        }
        spent
    }

    /// Spent since then, all together, in microseconds.
    pub fn micros_since(self, before: Self) -> f64 {
        ((self.own - before.own) + (self.postgres - before.postgres) + (self.rabbitmq - before.rabbitmq)) * 1e6
    }
}

/// The threads of the simulator bear its name.
fn simulator() -> f64 {
    let threads = fs::read_dir("/proc/self/task").unwrap().flatten();
    let of = |thread: fs::DirEntry| seconds(&format!("self/task/{}", thread.file_name().to_str()?));
    threads.filter_map(of).filter(|(name, _)| name == SIMULATOR).map(|(_, seconds)| seconds).sum()
}

/// Name and CPU seconds of a process, ended children included: a connection that is closed still counts.
fn seconds(pid: &str) -> Option<(String, f64)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let (head, rest) = stat.rsplit_once(") ")?;
    let fields: Vec<&str> = rest.split(' ').collect();
    // utime, stime, cutime, cstime: fields 14 to 17 of proc(5), in ticks of a hundredth of a second.
    let ticks: f64 = fields.get(11..15)?.iter().filter_map(|t| t.parse::<f64>().ok()).sum();
    Some((head.split_once('(')?.1.to_owned(), ticks / 100.0))
}
