//! Long-running roles, stopped by SIGTERM or Ctrl-C.

use super::failure::read_toml;
use super::{Context, Failure, Refusal, setup};
use crate::config::{Settings, explain};
use crate::dispatch::Office;
use crate::evidence::anchor::{self, Anchors, Judges};
use crate::evidence::outside::Outside;
use crate::evidence::{Archive, EvidenceError, high_water, restore, self_audit, sequencer};
use crate::intake::job::{self, Intake};
use crate::store::sequencing::LogScope;
use crate::{broker, dispatch, web};
use clap::{Args, ValueEnum};
use duly_sandbox::{SandboxConfig, SandboxState};
use secrecy::ExposeSecret;
use serde_json::{Map, json};
use sha2::{Digest, Sha256};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A role.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Role {
    /// Receipts, beside the health and metrics that every role serves
    Web,
    /// Jobs from duly.intake
    Intake,
    /// Receipts alone: faces the internet, needs no key, neither Duly's nor a provider's
    Receipts,
    /// Who goes when; deadlines, look-ups, receipts applied, the logs sequenced; many may stand by, one leads
    Scheduler,
    /// Calls providers; as many as you like
    Worker,
}

/// `duly serve`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly serve                       every role in one process\n  duly serve worker                one more worker, on another machine\n  duly serve worker --set web.listen=127.0.0.1:8371   on this one\n  RUST_LOG=debug duly serve web\n\nHealth and metrics are at web.listen in every process. Logs are JSON lines on stderr without personal data. SIGTERM finishes the calls in flight and leaves."
)]
pub struct Serve {
    /// Roles; all of them by default
    roles: Vec<Role>,
}

/// `duly sandbox`.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  duly sandbox --config config/sandbox.toml\n  duly sandbox --config config/sandbox.toml --mail-listen 127.0.0.1:2525"
)]
pub struct Sandbox {
    /// TOML file with the providers and their faults
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Address
    #[arg(long, default_value = "127.0.0.1:8380")]
    listen: String,
    /// Address at which it takes mail, as a relay; none by default
    #[arg(long, value_name = "ADDRESS")]
    mail_listen: Option<String>,
}

/// Runs roles until told to stop.
pub async fn serve(context: &Context, args: Serve) -> Result<(), Failure> {
    let roles = if args.roles.is_empty() { vec![Role::Web, Role::Intake, Role::Scheduler, Role::Worker] } else { args.roles };
    let stop = CancellationToken::new();
    let mut tasks: JoinSet<Result<(), Failure>> = JoinSet::new();
    if roles == [Role::Receipts] {
        let settings = Settings::load_for_receipts(&context.layers)?;
        let (listener, stop) = (bind(&settings.web.listen).await?, stop.clone());
        tasks.spawn(async move { Ok(web::run_receipts(&settings, listener, stop).await?) });
    } else {
        setup::migrate(context).await?;
        start(context, &roles, &stop, &mut tasks).await?;
    }
    tracing::info!(roles = ?roles, "started");
    tokio::select! {
        () = terminated() => tracing::info!("told to stop: calls in flight are finished first"),
        Some(ended) = tasks.join_next() => { stop.cancel(); ended??; }
    }
    stop.cancel();
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    tracing::info!("stopped");
    Ok(())
}

async fn start(
    context: &Context,
    roles: &[Role],
    stop: &CancellationToken,
    tasks: &mut JoinSet<Result<(), Failure>>,
) -> Result<(), Failure> {
    let office = context.office().await?;
    // Before anything runs that could send: a database that came back older is stopped first.
    let outside = Outside::open(&office.settings.evidence.outside).map_err(EvidenceError::from)?;
    let is_stopped = high_water::check(&office.store, &outside).await?;
    if !is_stopped && roles.contains(&Role::Scheduler) {
        high_water::refuse_where_lost(&office.store, &outside).await?;
    }
    let is_blind = !is_stopped && high_water::is_lost(&office.store, &outside).await?;
    broker::version::check(office.settings.broker.url.expose_secret()).await?;
    note_start(context, &office, roles).await?;
    warn_of_missing_lanes(&office).await?;
    let runs = |role| roles.contains(&role);
    let listener = bind(&office.settings.web.listen).await?;
    let takes_receipts = runs(Role::Web) || runs(Role::Receipts);
    let (shared, stopped) = (office.clone(), stop.clone());
    tasks.spawn(async move {
        Ok(if takes_receipts {
            web::run(shared, listener, stopped).await
        } else {
            web::run_watch(shared, listener, stopped).await
        }?)
    });
    if runs(Role::Intake) {
        let intake = Intake {
            store: office.store.clone(),
            master: office.master.clone(),
            broker_url: office.settings.broker.url.clone(),
            accept_plain: office.settings.intake.accept_plain,
        };
        let stop = stop.clone();
        tasks.spawn(async move { Ok(job::run(Arc::new(intake), stop).await?) });
    }
    if runs(Role::Scheduler) {
        let (office, stop) = (office.clone(), stop.clone());
        let archive = Arc::new(Archive::open(&office.settings, &office.store)?);
        if !restore::list_lost(&archive, true).await?.is_empty() {
            high_water::stop(&archive.store, &archive.outside, "checkpoint").await?;
        }
        let judges = Judges::open(&office.settings)?;
        tasks.spawn({
            let (archive, master, stop) = (archive.clone(), office.master.clone(), stop.clone());
            async move {
                self_audit::run(archive, judges, master, stop).await;
                Ok(())
            }
        });
        let (sequencing, anchoring) = (stop.clone(), stop.clone());
        let anchors = Anchors::open(&office.settings, &archive)?;
        tasks.spawn(async move {
            anchor::run(anchors, anchoring).await;
            Ok(())
        });
        tasks.spawn(async move {
            sequencer::run(archive, sequencing).await;
            Ok(())
        });
        tasks.spawn(async move { Ok(dispatch::scheduler::run(office, stop).await?) });
    }
    if runs(Role::Worker) {
        let (office, stop) = (office.clone(), stop.clone());
        tasks.spawn(async move {
            // Without a mark it cannot tell whether the database was restored: whoever leads can.
            if is_blind {
                stop.run_until_cancelled(high_water::wait_for_leader(&office.store)).await.transpose()?;
            }
            Ok(dispatch::worker::run(office, stop).await?)
        });
    }
    Ok(())
}

/// Which program ran with which settings is a fact that an auditor asks about; the hash tells, and no secret does.
async fn note_start(context: &Context, office: &Office, roles: &[Role]) -> Result<(), Failure> {
    let lines = explain(&context.layers)?;
    let settings: String = lines.iter().map(|line| format!("{}={}\n", line.key, line.value)).collect();
    let names = roles.iter().filter_map(|role| role.to_possible_value()).map(|value| value.get_name().to_owned());
    let detail = Map::from_iter([
        ("roles".to_owned(), json!(names.collect::<Vec<_>>().join(","))),
        ("settings".to_owned(), json!(hex::encode(Sha256::digest(settings)))),
        ("version".to_owned(), json!(env!("CARGO_PKG_VERSION"))),
    ]);
    Ok(office.store.insert_event(LogScope::System, "program.started", detail).await?)
}

/// A lane that was taken out of the settings, or renamed, while messages were on it: nobody asks for their news any more.
async fn warn_of_missing_lanes(office: &Office) -> Result<(), Failure> {
    let known: Vec<String> = office.settings.lanes.keys().cloned().collect();
    for (lane, messages) in office.store.count_without_lane(None, &known).await? {
        tracing::warn!(
            lane,
            messages,
            "open messages are on a lane that the settings do not have: put it back, or nobody sends them and nobody is asked for news"
        );
    }
    Ok(())
}

async fn bind(address: &str) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).await.map_err(|cause| {
        Refusal::because(format!("cannot listen on `{address}`"), "end what uses that port, or set `web.listen`", cause)
    })
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
    let config: SandboxConfig = read_toml(&args.config)?;
    let listener = bind(&args.listen).await?;
    // With port 0 the system chooses: whoever started it reads here where it is.
    println!("http://{}", listener.local_addr()?);
    let state = Arc::new(SandboxState::new(config));
    let mail = match &args.mail_listen {
        Some(address) => Some(bind(address).await?),
        None => None,
    };
    if let Some(mail) = &mail {
        println!("smtp://{}", mail.local_addr()?);
    }
    let relay = async {
        match mail {
            Some(mail) => duly_sandbox::serve_mail(state.clone(), mail, terminated()).await,
            None => Ok(()),
        }
    };
    tokio::try_join!(duly_sandbox::serve(state.clone(), listener, terminated()), relay)?;
    Ok(())
}
