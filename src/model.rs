//! Pure types and rules: no database, no network, no clock.

pub mod contact;
pub mod person;
pub mod seal;
pub mod state;
pub mod step;
