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
            super::skipped("this machine has neither Docker nor the packages: scripts/services install");
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

    /// Free disk under which RabbitMQ takes nothing more, such as `900GB`.
    pub async fn set_disk_limit(&self, limit: &str) {
        let set = self.run(&["rabbitmqctl", "set_disk_free_limit", limit]).await;
        assert!(set.status.success(), "{}", String::from_utf8_lossy(&set.stderr));
    }

    /// Stops the pair, keeps a copy of Postgres' files, and starts it again.
    pub async fn keep_files(&self) {
        self.exchange("rm -rf kept && cp -a pg kept").await;
    }

    /// Stops the pair, puts the kept files back, and starts it again; with a recovery that ends in another timeline, if asked.
    pub async fn put_files_back(&self, recovers: bool) {
        let recovery = "install -o \"$(stat -c %u pg/data)\" -m 600 /dev/null pg/data/recovery.signal
            printf \"restore_command='false'\\nrecovery_target_timeline='current'\\n\" >> pg/data/postgresql.conf";
        self.exchange(&format!("rm -rf pg && cp -a kept pg{}", if recovers { format!("\n{recovery}") } else { String::new() }))
            .await;
    }

    async fn exchange(&self, script: &str) {
        assert!(self.run(&["down"]).await.status.success());
        let done = Command::new("sh").args(["-ec", script]).current_dir(self.folder.path()).output().unwrap();
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
        let up = self.run(&["up"]).await;
        assert!(up.status.success(), "{}", String::from_utf8_lossy(&up.stderr));
    }

    async fn run(&self, args: &[&str]) -> Output {
        let mut command = self.command(args);
        tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap()
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/services"));
        command.args(args).env("PRIVATE_SERVICES_DIR", self.folder.path());
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
