//! Processes of the real binary: started, killed, frozen, thawed, told to stop.

use super::wait::within;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// Longest wait for a process to reach a point or to end.
const LONGEST: Duration = Duration::from_secs(120);

/// A running process; killed when this value goes.
pub struct Process {
    child: Child,
    marker: Option<PathBuf>,
    log: PathBuf,
}

/// What a process is started with.
pub struct Start<'a> {
    pub settings: &'a Path,
    pub folder: &'a Path,
    pub roles: &'a [&'a str],
    pub failpoint: Option<&'a str>,
    pub variables: &'a [(&'a str, &'a str)],
}

impl Process {
    /// Starts `duly serve` with these roles.
    pub fn start(start: &Start<'_>) -> Self {
        let points = tempfile::tempdir_in(start.folder).unwrap().keep();
        let log = points.join("log");
        let mut command = Command::new(env!("CARGO_BIN_EXE_duly"));
        command.arg("--settings").arg(start.settings).arg("serve").args(start.roles);
        command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap());
        command.envs(start.variables.iter().copied());
        if let Some(point) = start.failpoint {
            command.env("DULY_FAILPOINT", point).env("DULY_FAILPOINT_DIR", &points);
        }
        Self { child: command.spawn().unwrap(), marker: start.failpoint.map(|point| points.join(point)), log }
    }

    fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.child.id())]).status().unwrap();
        assert!(sent.success(), "SIG{name} was not sent");
    }

    /// Waits until the process stands at its failpoint.
    pub async fn reached(&mut self) {
        let marker = self.marker.clone().unwrap();
        let what = format!("the process stands at {}", marker.display());
        within(LONGEST, &what, async || {
            assert!(self.child.try_wait().unwrap().is_none(), "the process ended: {}", self.log());
            marker.exists().then_some(())
        })
        .await;
    }

    /// Lets it go on from its failpoint.
    pub fn release(&self) {
        std::fs::remove_file(self.marker.as_ref().unwrap()).unwrap();
    }

    /// SIGKILL: nothing in it runs any more.
    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// SIGSTOP: it stands still and does not know.
    pub fn freeze(&self) {
        self.signal("STOP");
    }

    /// SIGCONT: it goes on as if nothing had been.
    pub fn thaw(&self) {
        self.signal("CONT");
    }

    /// SIGTERM: it finishes what it has begun; returns how it ended.
    pub async fn terminate(&mut self) -> ExitStatus {
        self.signal("TERM");
        within(LONGEST, "the process ends after SIGTERM", async || self.child.try_wait().unwrap()).await
    }

    /// Where it listens for HTTP, as it logged.
    pub async fn address(&self) -> String {
        let find = |log: String| Some(log.split("\"address\":\"").nth(1)?.split('"').next()?.to_owned());
        within(LONGEST, "the process listens", async || find(self.log())).await
    }

    /// What it logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended by itself.
        if self.child.kill().is_ok() && self.child.wait().is_err() {
            eprintln!("a process was left behind");
        }
        if std::thread::panicking() {
            eprintln!("--- log of process {}\n{}", self.child.id(), self.log());
        }
    }
}
