//! Long-running roles, stopped by SIGTERM or Ctrl-C.

use super::{Context, Failure, setup};
use crate::intake::job::{self, Intake};
use crate::{dispatch, web};
use clap::{Args, ValueEnum};
use duly_sandbox::{SandboxConfig, SandboxState};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Receipts, health, metrics
    Web,
    /// Jobs from duly.intake
    Intake,
    /// Who goes when; deadlines, look-ups, receipts
    Scheduler,
    /// Calls providers
    Worker,
}

/// `duly serve`.
#[derive(Args)]
pub struct Serve {
    /// Roles; all of them by default
    roles: Vec<Role>,
}

/// `duly sandbox`.
#[derive(Args)]
pub struct Sandbox {
    /// TOML file with the providers and their faults
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Address
    #[arg(long, default_value = "127.0.0.1:8380")]
    listen: String,
}

/// Runs roles until told to stop.
pub async fn serve(context: &Context, args: Serve) -> Result<(), Failure> {
    setup::migrate(context).await?;
    let office = context.office().await?;
    let runs = |role| args.roles.is_empty() || args.roles.contains(&role);
    let stop = CancellationToken::new();
    let mut roles: JoinSet<Result<(), Failure>> = JoinSet::new();
    if runs(Role::Web) {
        let listener = TcpListener::bind(&office.settings.web.listen).await?;
        let (office, stop) = (office.clone(), stop.clone());
        roles.spawn(async move { Ok(web::run(office, listener, stop).await?) });
    }
    if runs(Role::Intake) {
        let intake = Intake {
            store: office.store.clone(),
            master: office.master.clone(),
            broker_url: office.settings.broker.url.clone(),
            accept_plain: office.settings.intake.accept_plain,
        };
        let stop = stop.clone();
        roles.spawn(async move { Ok(job::run(Arc::new(intake), stop).await?) });
    }
    if runs(Role::Scheduler) {
        let (office, stop) = (office.clone(), stop.clone());
        roles.spawn(async move { Ok(dispatch::scheduler::run(office, stop).await?) });
    }
    if runs(Role::Worker) {
        let (office, stop) = (office.clone(), stop.clone());
        roles.spawn(async move { Ok(dispatch::worker::run(office, stop).await?) });
    }
    tokio::select! {
        () = terminated() => stop.cancel(),
        Some(ended) = roles.join_next() => { stop.cancel(); ended??; }
    }
    while let Some(ended) = roles.join_next().await {
        ended??;
    }
    Ok(())
}

/// Ends with SIGTERM or Ctrl-C.
pub async fn terminated() {
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    match terminate {
        Ok(mut terminate) => {
            tokio::select! { _ = terminate.recv() => {}, _ = tokio::signal::ctrl_c() => {} }
        }
        Err(_) => std::future::pending().await,
    }
}

/// Runs the sandbox.
pub async fn sandbox(args: Sandbox) -> Result<(), Failure> {
    let config: SandboxConfig = toml::from_str(&std::fs::read_to_string(&args.config)?)?;
    let listener = TcpListener::bind(&args.listen).await?;
    Ok(duly_sandbox::serve(Arc::new(SandboxState::new(config)), listener, terminated()).await?)
}
