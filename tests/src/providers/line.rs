//! Connections that a handler can cut: a provider that dies in the middle of an answer.

use std::io;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4};
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::connect_info::Connected;
use axum::response::Response;
use axum::serve::{IncomingStream, Listener};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A running server; it ends when this is dropped.
#[derive(Debug)]
pub struct Server {
    address: SocketAddr,
    task: JoinHandle<()>,
}

impl Server {
    /// Serves on a port of the loopback; 0 takes a free one.
    ///
    /// # Errors
    /// If the port is taken.
    pub(crate) async fn start(port: u16, router: Router) -> anyhow::Result<Self> {
        let wanted = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let listener = TcpListener::bind(wanted).await.with_context(|| format!("cannot listen on {wanted}"))?;
        let address = listener.local_addr()?;
        let service = router.into_make_service_with_connect_info::<Line>();
        let task = tokio::spawn(async move {
            if let Err(error) = axum::serve(Lines(listener), service).await {
                tracing::error!(%error, "a simulated provider has closed");
            }
        });
        Ok(Self { address, task })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One connection, to be cut from within a handler.
#[derive(Debug, Clone)]
pub(crate) struct Line(Option<Arc<std::net::TcpStream>>);

impl Line {
    /// Ends the connection without an answer.
    pub(crate) async fn cut(self) -> Response {
        if let Some(socket) = &self.0
            && let Err(error) = socket.shutdown(Shutdown::Both)
        {
            tracing::debug!(%error, "the other side was faster");
        }
        std::future::pending().await
    }
}

struct Lines(TcpListener);

impl Lines {
    async fn next(&self) -> io::Result<(TcpStream, Line)> {
        let (socket, _) = self.0.accept().await?;
        let socket = socket.into_std()?;
        let handle = socket.try_clone()?;
        Ok((TcpStream::from_std(socket)?, Line(Some(Arc::new(handle)))))
    }
}

impl Listener for Lines {
    type Io = TcpStream;
    type Addr = Line;

    async fn accept(&mut self) -> (TcpStream, Line) {
        loop {
            match self.next().await {
                Ok(accepted) => return accepted,
                Err(error) => tracing::debug!(%error, "a connection was gone before it was taken"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<Line> {
        Ok(Line(None))
    }
}

impl Connected<IncomingStream<'_, Lines>> for Line {
    fn connect_info(stream: IncomingStream<'_, Lines>) -> Self {
        stream.remote_addr().clone()
    }
}
