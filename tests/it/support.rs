//! What tests stand on: a database and a virtual host of their own, a sandbox, real processes, and the audit.

mod approval;
mod audit;
mod background;
mod broker;
mod database;
mod drain;
mod neighbour;
mod process;
mod provider;
mod proxy;
mod private;
pub mod receipt;
mod services;
mod settings;
mod stage;
mod terminal;
mod wait;
mod world;

pub use approval::Users;
pub use audit::{but_for_the_clock, produced};
pub use background::{free_port, listener, serve};
pub use broker::{VirtualHost, broker_folder, virtual_host};
pub use database::{TestDatabase, database_on, empty_database, migrated_database, server};
pub use private::write_private;
pub use process::{Process, Start};
pub use provider::{Capability, LAG_MS, NOTIFY_KEY, Sandbox, lane};
pub use proxy::Proxy;
pub use services::Services;
pub use settings::PATIENT;
pub use stage::{Lane, Setup, Stage, Wires};
pub use terminal::{Left, Terminal};
pub use wait::{eventually, missing, skipped, within};
pub use world::{World, deadlines, quota, world, world_after, world_under};
