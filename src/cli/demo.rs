//! The demo.
use super::Failure;
use clap::Args;
/// `duly demo`.
#[derive(Args)]
pub struct Demo {}
/// Runs it.
pub async fn run(_args: Demo) -> Result<(), Failure> { Ok(()) }
