//! Threads for servers of the test process: a test that forks or waits must not keep them from answering.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU16, Ordering};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinHandle;

static BACKGROUND: LazyLock<Runtime> =
    LazyLock::new(|| Builder::new_multi_thread().worker_threads(4).thread_name("servers").enable_all().build().unwrap());

/// Runs a server until its handle is aborted or the process ends.
pub fn serve<F>(server: F) -> JoinHandle<F::Output>
where
    F: Future<Output: Send> + Send + 'static,
{
    BACKGROUND.spawn(server)
}

/// A listener on a free port, to be served in the background.
pub async fn listener() -> tokio::net::TcpListener {
    BACKGROUND.spawn(tokio::net::TcpListener::bind("127.0.0.1:0")).await.unwrap().unwrap()
}

/// Below the ports that connections are given, so that none has it before its process does.
pub fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(20_000);
    let is_free = |port: &u16| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    std::iter::repeat_with(|| NEXT.fetch_add(1, Ordering::Relaxed)).take(10_000).find(is_free).unwrap()
}
