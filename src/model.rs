//! Pure types and rules: no database, no network, no clock.

pub mod cause;
pub mod causes;
pub mod column;
pub mod contact;
pub mod email;
pub mod ending;
pub mod forecast;
pub mod health;
pub mod list_key;
pub mod look;
pub mod name;
pub mod person;
pub mod profile;
pub mod quiet;
pub mod replay;
pub mod seal;
pub mod shares;
pub mod sheet;
pub mod state;
pub mod statement;
pub mod step;
pub mod texts;
pub mod user_key;
pub mod zone;
