//! A simulator of print, SMS and email providers: a real HTTP server with a fault plan and its own record of what was
//! physically "printed" and "sent". It shares no type with Duly, so that a wrong wire format cannot cancel itself out.

mod account;
mod config;
mod face;
mod faults;
mod letters;
mod mail;
mod people;
mod receipts;
mod server;
mod spoilt;
mod state;
mod submit;
mod wire;

pub use account::Physical;
pub use config::{Fault, FaultKind, Limit, ProviderConfig, Requests, SandboxConfig, SandboxError};
pub use face::Face;
pub use mail::serve_mail;
pub use people::{PeopleSummary, write_people};
pub use receipts::sign;
pub use server::serve;
pub use state::{SandboxState, WindowReader};
