//! The process: flags, the store, the listener, a clean end.

use std::{net::SocketAddr, path::PathBuf};

use anyhow::Context;
use clap::Parser;
use registry::{Store, router};
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};

/// A small Confluent-compatible schema registry for one machine.
#[derive(Parser)]
#[command(name = "weft-registry", version)]
struct Arguments {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:19081")]
    listen: SocketAddr,
    /// File that keeps subjects, versions and levels; made when missing.
    #[arg(long)]
    store: PathBuf,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().json().init();
    let arguments = Arguments::parse();
    let store = Store::open(&arguments.store).with_context(|| format!("cannot open {}", arguments.store.display()))?;
    let listener =
        TcpListener::bind(arguments.listen).await.with_context(|| format!("cannot listen on {}", arguments.listen))?;
    tracing::info!(listen = %listener.local_addr()?, subjects = store.subjects().count(), "ready");

    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    axum::serve(listener, router(store))
        .with_graceful_shutdown(async move {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = interrupt.recv() => {}
            }
        })
        .await
        .context("the listener failed")?;
    tracing::info!("stopped");
    Ok(())
}
