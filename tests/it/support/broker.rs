//! A virtual host of its own for each test, made and removed over the management API.

use lapin::options::{QueueDeclareOptions, QueuePurgeOptions};
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use reqwest::{Client, Method};
use std::path::PathBuf;
use uuid::Uuid;

/// A virtual host that goes when this value goes.
pub struct VirtualHost {
    pub url: String,
    name: String,
    management: String,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run the tests by `make test`"))
}

/// Asks the management API; a connection that it closes under its load is tried again, since all we ask can be.
async fn manage(method: Method, management: &str, path: &str, body: Option<serde_json::Value>) -> reqwest::Result<()> {
    let mut tries = 3;
    loop {
        let mut request = Client::new().request(method.clone(), format!("{management}/api/{path}"));
        if let Some(body) = &body {
            request = request.json(body);
        }
        tries -= 1;
        match request.send().await {
            Err(error) if error.is_request() && tries > 0 => {}
            answered => return answered?.error_for_status().map(|_| ()),
        }
    }
}

/// A virtual host of its own, open to the user of `AMQP_URL`.
pub async fn virtual_host() -> VirtualHost {
    virtual_host_on(&variable("AMQP_URL"), &variable("AMQP_MANAGEMENT_URL")).await
}

/// The same on a broker of the test's own.
pub async fn virtual_host_on(server: &str, management: &str) -> VirtualHost {
    let name = format!("duly-test-{}", Uuid::now_v7().simple());
    let (base, _) = server.rsplit_once('/').unwrap();
    let user = base.split("//").nth(1).and_then(|rest| rest.split_once(':')).map_or("guest", |(user, _)| user);
    manage(Method::PUT, management, &format!("vhosts/{name}"), None).await.unwrap();
    let all = serde_json::json!({ "configure": ".*", "write": ".*", "read": ".*" });
    manage(Method::PUT, management, &format!("permissions/{name}/{user}"), Some(all)).await.unwrap();
    VirtualHost { url: format!("{base}/{name}"), name, management: management.to_owned() }
}

/// Where the broker keeps its messages, if that is on this machine.
pub async fn broker_folder() -> Option<PathBuf> {
    let url = format!("{}/api/nodes", variable("AMQP_MANAGEMENT_URL"));
    let nodes: serde_json::Value = Client::new().get(url).send().await.ok()?.json().await.ok()?;
    let folder = PathBuf::from(nodes[0]["db_dir"].as_str()?);
    std::fs::read_dir(&folder).is_ok().then_some(folder)
}

impl VirtualHost {
    /// Closes every connection to it, as a broker that restarts does; returns how many.
    pub async fn close_connections(&self) -> usize {
        let open: Vec<serde_json::Value> = self.ask(&format!("vhosts/{}/connections", self.name)).await.unwrap();
        let mut closed = 0;
        for connection in open {
            let name = connection["name"].as_str().unwrap().replace(' ', "%20").replace('>', "%3E");
            // One that has gone by itself meanwhile is gone as well.
            match manage(Method::DELETE, &self.management, &format!("connections/{name}"), None).await {
                Ok(()) => closed += 1,
                Err(error) => assert_eq!(error.status().map(|s| s.as_u16()), Some(404)),
            }
        }
        closed
    }

    /// Takes all waiting jobs of a queue away; returns how many there were.
    pub async fn purge(&self, queue: &str) -> u32 {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let purged = channel.queue_purge(queue.into(), QueuePurgeOptions::default()).await;
        // A queue that is not declared yet has nothing to lose.
        purged.unwrap_or(0)
    }

    /// Jobs of a queue that wait for a worker.
    pub async fn depth(&self, queue: &str) -> u32 {
        let connection = Connection::connect(&self.url, ConnectionProperties::default()).await.unwrap();
        let channel = connection.create_channel().await.unwrap();
        let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        // A queue that is not declared yet holds nothing.
        let declared = channel.queue_declare(queue.into(), passive, FieldTable::default()).await;
        declared.map_or(0, |queue| queue.message_count())
    }

    async fn ask<T: serde::de::DeserializeOwned>(&self, path: &str) -> reqwest::Result<T> {
        let url = format!("{}/api/{path}", self.management);
        Client::new().get(url).send().await?.error_for_status()?.json().await
    }
}

impl Drop for VirtualHost {
    fn drop(&mut self) {
        let (name, management) = (std::mem::take(&mut self.name), std::mem::take(&mut self.management));
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
            runtime.block_on(manage(Method::DELETE, &management, &format!("vhosts/{name}"), None)).ok()
        });
        if !matches!(dropped.join(), Ok(Some(()))) {
            eprintln!("a virtual host was left behind");
        }
    }
}
