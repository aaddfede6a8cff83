//! Parses the command line, runs the command, prints an error with its causes and its remedy.

use duly::cli::output::{Paint, words};
use std::process::ExitCode;
use tracing_subscriber::EnvFilter;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = duly::cli::parse();
    let asked = std::env::var(EnvFilter::DEFAULT_ENV).ok();
    let filter = EnvFilter::try_new(cli.log_filter(asked.as_deref())).unwrap_or_else(|_| cli.log_filter(None).into());
    // A log that nobody reads any more is no reason to say so in a panic.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).log_internal_errors(false).json().init();
    // One TLS implementation for every client of this process.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        tracing::warn!("a TLS provider was installed before");
    }
    match duly::cli::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            let paint = Paint::stderr();
            words(&format!("{}\n", failure.text(|label| paint.label(label))));
            failure.exit_code()
        }
    }
}
