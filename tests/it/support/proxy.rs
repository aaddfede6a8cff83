//! A wire between Duly and a service that a test can cut and mend, so that a restart can be shown without one.

use super::background;
use std::sync::Arc;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A TCP proxy on a free port of this machine.
pub struct Proxy {
    pub port: u16,
    is_cut: Arc<watch::Sender<bool>>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens, and forwards to `target` (`host:port`).
    pub async fn to(target: &str) -> Self {
        let listener = background::listener().await;
        let port = listener.local_addr().unwrap().port();
        let is_cut = Arc::new(watch::Sender::new(false));
        let task = background::serve(accept(listener, target.to_owned(), is_cut.clone()));
        Self { port, is_cut, task }
    }

    /// The same URL through this proxy, and the proxy.
    pub async fn before(url: &str) -> (Self, String) {
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.split_once('/').unwrap();
        let (user, host) = authority.rsplit_once('@').unwrap();
        let proxy = Self::to(host).await;
        let through = format!("{scheme}://{user}@127.0.0.1:{}/{path}", proxy.port);
        (proxy, through)
    }

    /// Breaks every connection and lets no new one through.
    pub fn cut(&self) {
        self.is_cut.send_replace(true);
    }

    /// Lets connections through again.
    pub fn mend(&self) {
        self.is_cut.send_replace(false);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, target: String, is_cut: Arc<watch::Sender<bool>>) {
    let mut wires = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        // A client that finds the wire cut sees its new connection close at once.
        if !*is_cut.borrow() {
            wires.spawn(forward(client, target.clone(), is_cut.subscribe()));
        }
        while wires.try_join_next().is_some() {}
    }
}

async fn forward(mut client: TcpStream, target: String, mut is_cut: watch::Receiver<bool>) {
    let Ok(mut server) = TcpStream::connect(&target).await else { return };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = is_cut.wait_for(|cut| *cut) => {}
    }
}
