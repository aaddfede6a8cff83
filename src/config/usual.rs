//! What a lane's settings are where nobody sets them.

/// Messages a second.
pub fn fifty() -> u32 {
    50
}

/// Messages of a batch.
pub fn hundred() -> u32 {
    100
}

/// How long a message waits for others, seconds.
pub fn five_minutes() -> u64 {
    300
}

/// When a docket is due, minutes.
pub fn half_a_day() -> u64 {
    720
}

/// The simulator.
pub fn sandbox() -> String {
    "sandbox".to_owned()
}
