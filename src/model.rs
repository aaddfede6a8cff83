//! Pure types and rules: no database, no network, no clock.

pub mod cause;
pub mod contact;
pub mod person;
pub mod profile;
pub mod replay;
pub mod seal;
pub mod state;
pub mod statement;
pub mod step;
pub mod user_key;
