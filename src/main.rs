//! Parses the command line, runs the command, prints an error with its cause and its remedy.

use clap::Parser;
use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = duly::cli::Cli::parse();
    // One TLS implementation for every client of this process.
    if rustls::crypto::ring::default_provider().install_default().is_err() {
        eprintln!("note: a TLS provider was installed before");
    }
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "warn".into()))
        .with_writer(std::io::stderr)
        .json()
        .init();
    match duly::cli::run(cli).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = error.source();
            while let Some(source) = cause {
                eprintln!("  cause: {source}");
                cause = source.source();
            }
            if let Some(remedy) = duly::cli::remedy(error.as_ref()) {
                eprintln!("\nhint: {remedy}");
            }
            ExitCode::from(2)
        }
    }
}
