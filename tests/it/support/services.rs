//! A Postgres and a RabbitMQ of a test's own, which it may kill: those of all tests are never touched.

use std::process::{Command, Output};
use tempfile::TempDir;

/// A private pair in a temporary folder; it goes with this value.
pub struct Services {
    folder: TempDir,
    pub database: String,
    pub broker: String,
    pub management: String,
}

impl Services {
    /// Starts a pair; `None` where neither Docker nor the packages are on this machine.
    pub async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let empty = String::new;
        let mut services = Self { folder, database: empty(), broker: empty(), management: empty() };
        // What is not installed, and nothing else, ends with 3.
        let up = services.run(&["up"]).await;
        if up.status.code() == Some(3) {
            return None;
        }
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
        let printed = String::from_utf8(services.run(&["env"]).await.stdout).unwrap();
        let value = |name: &str| {
            let line = printed.lines().find_map(|line| line.strip_prefix(&format!("export {name}="))).unwrap();
            line.replace('\\', "")
        };
        (services.database, services.broker) = (value("DATABASE_URL"), value("AMQP_URL"));
        services.management = value("AMQP_MANAGEMENT_URL");
        Some(services)
    }

    /// Kills a service and starts it again on the same data.
    pub async fn restart(&self, service: &str) {
        let restarted = self.run(&["restart", service]).await;
        assert!(restarted.status.success(), "{}", String::from_utf8_lossy(&restarted.stderr));
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services"));
        command.args(args).env("DULY_SERVICES_DIR", self.folder.path());
        for shared in ["DATABASE_URL", "AMQP_URL", "AMQP_MANAGEMENT_URL"] {
            command.env_remove(shared);
        }
        command
    }
}

impl Drop for Services {
    fn drop(&mut self) {
        if !self.command(&["uninstall"]).output().is_ok_and(|output| output.status.success()) {
            eprintln!("a private pair of services was left behind in {}", self.folder.path().display());
        }
    }
}
