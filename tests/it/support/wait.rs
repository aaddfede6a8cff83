//! Waiting for a condition with a deadline, never for luck.

use std::time::Duration;

/// Pause between two looks.
const LOOK: Duration = Duration::from_millis(25);

/// Waits until `look` finds something; panics with `what` after `longest`.
pub async fn within<T>(longest: Duration, what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let found = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK).await;
        }
    };
    match tokio::time::timeout(longest, found).await {
        Ok(found) => found,
        Err(_) => panic!("not within {longest:?}: {what}"),
    }
}

/// Says that a test could not run here: past the harness, which keeps what a test prints to itself while it is green.
pub fn skipped(why: &str) {
    use std::io::Write;
    std::io::stderr().write_all(format!("SKIPPED: {why}\n").as_bytes()).unwrap();
}

/// The same of a tool that is on every machine that can build this and run its services, such as script(1) and openssl: where
/// CI=true somebody relies on these tests, and to pass without them is a fault.
pub fn missing(why: &str) {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "not skipped in CI: {why}");
    skipped(why);
}

/// Waits until `look` is true, at most 180 s.
pub async fn eventually(what: &str, mut look: impl AsyncFnMut() -> bool) {
    within(Duration::from_secs(180), what, async || look().await.then_some(())).await;
}
