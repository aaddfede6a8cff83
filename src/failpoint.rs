//! Named points at which a test may stop this process for ever. A release build has none.

/// Waits here for as long as a test wants, if the environment names this point; otherwise returns at once.
///
/// `DULY_FAILPOINT=name` stops at `name`: the process writes the file `$DULY_FAILPOINT_DIR/name` and waits until
/// the test removes it or kills the process. Only the first to come stops; everybody after it passes. With
/// `DULY_FAILPOINT_MANY=n` the first `n` stop, and the file is written when all of them stand there.
#[cfg(debug_assertions)]
pub async fn reach(name: &str) {
    let Some(point) = wanted().filter(|point| point.stops(name)) else { return };
    while point.is_closed() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

/// As `reach`, for a thread that may block.
#[cfg(debug_assertions)]
pub fn reach_blocking(name: &str) {
    let Some(point) = wanted().filter(|point| point.stops(name)) else { return };
    while point.is_closed() {
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[cfg(debug_assertions)]
struct Point {
    name: String,
    marker: std::path::PathBuf,
    /// So many stop here.
    many: usize,
    came: std::sync::atomic::AtomicUsize,
}

#[cfg(debug_assertions)]
impl Point {
    /// Whether somebody who comes to this name must wait here; the last one says so outside.
    fn stops(&self, name: &str) -> bool {
        if self.name != name {
            return false;
        }
        let nth = self.came.fetch_add(1, std::sync::atomic::Ordering::SeqCst) + 1;
        nth < self.many || nth == self.many && std::fs::write(&self.marker, std::process::id().to_string()).is_ok()
    }

    fn is_closed(&self) -> bool {
        self.came.load(std::sync::atomic::Ordering::SeqCst) < self.many || self.marker.exists()
    }
}

/// The environment is read once: a send must not pay for it.
#[cfg(debug_assertions)]
fn wanted() -> Option<&'static Point> {
    static POINT: std::sync::OnceLock<Option<Point>> = std::sync::OnceLock::new();
    let read = || {
        let name = std::env::var("DULY_FAILPOINT").ok()?;
        let folder = std::env::var_os("DULY_FAILPOINT_DIR")?;
        let marker = std::path::Path::new(&folder).join(&name);
        let many = std::env::var("DULY_FAILPOINT_MANY").ok().and_then(|n| n.parse().ok()).unwrap_or(1);
        Some(Point { name, marker, many, came: std::sync::atomic::AtomicUsize::new(0) })
    };
    POINT.get_or_init(read).as_ref()
}

/// A release build has no failpoints.
#[cfg(not(debug_assertions))]
pub async fn reach(_name: &str) {}

/// A release build has no failpoints.
#[cfg(not(debug_assertions))]
pub fn reach_blocking(_name: &str) {}

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
