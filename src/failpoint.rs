//! Named points at which a test may stop this process for ever. A release build has none.

/// Waits here for as long as a test wants, if the environment names this point; otherwise returns at once.
///
/// `DULY_FAILPOINT=name` stops at `name`: the process writes the file `$DULY_FAILPOINT_DIR/name` and waits until
/// the test removes it or kills the process.
#[cfg(debug_assertions)]
pub async fn reach(name: &str) {
    let (Ok(wanted), Ok(folder)) = (std::env::var("DULY_FAILPOINT"), std::env::var("DULY_FAILPOINT_DIR")) else { return };
    if wanted != name {
        return;
    }
    let marker = std::path::Path::new(&folder).join(name);
    if std::fs::write(&marker, std::process::id().to_string()).is_err() {
        return;
    }
    while marker.exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// A release build has no failpoints.
#[cfg(not(debug_assertions))]
pub async fn reach(_name: &str) {}

/// Whether a test took this safeguard away: `DULY_SABOTAGE=name`. A release build cannot be sabotaged.
#[cfg(debug_assertions)]
pub fn is_sabotaged(safeguard: &str) -> bool {
    std::env::var("DULY_SABOTAGE").is_ok_and(|name| name == safeguard)
}

/// A release build keeps every safeguard.
#[cfg(not(debug_assertions))]
pub fn is_sabotaged(_safeguard: &str) -> bool {
    false
}
