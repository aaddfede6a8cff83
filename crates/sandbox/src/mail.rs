//! A mail relay's face: SMTP on a port of its own. It takes mail for whoever logs in as one of the accounts whose channel
//! is `email`, delivers nothing, and says in its greeting that it is a sandbox.

mod session;
mod text;

use crate::config::SandboxError;
use crate::state::SandboxState;
use std::future::Future;
use std::sync::Arc;
use tokio::net::TcpListener;

/// Takes mail until `shutdown` ends.
pub async fn serve_mail(
    state: Arc<SandboxState>,
    listener: TcpListener,
    shutdown: impl Future<Output = ()> + Send,
) -> Result<(), SandboxError> {
    let mut shutdown = std::pin::pin!(shutdown);
    loop {
        let (stream, _) = tokio::select! {
            accepted = listener.accept() => accepted?,
            () = &mut shutdown => return Ok(()),
        };
        stream.set_nodelay(true)?;
        let state = state.clone();
        tokio::spawn(async move {
            // Whoever hangs up in the middle has done nothing wrong here.
            if let Err(error) = session::run(state, stream).await {
                tracing::debug!(error = %error, "a mail client went away");
            }
        });
    }
}
