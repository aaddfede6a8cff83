//! Duly tells every person affected by a data breach, once, and proves it. The map, from the outside in:
//! imports point down this list only.

pub mod cli;
pub mod web;
pub mod report;
pub mod receipts;
pub mod dispatch;
pub mod intake;
pub mod evidence;
pub mod provider;
pub mod render;
pub mod broker;
pub mod store;
pub mod config;
pub mod model;
pub mod failpoint;
