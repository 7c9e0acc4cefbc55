//! One WebSocket: what is to be sent goes out, what comes in is handed on, and silence has an end.

use std::time::Duration;

use axum::extract::ws::{CloseFrame, Message, WebSocket};
use stream::clock::Stamp;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Error;

use crate::hub::Closing;

/// What came in that is not for the wire itself.
pub(super) enum Came<'a> {
    /// A text frame.
    Text(&'a str),
    /// A binary frame, which nobody expects.
    Binary,
}

/// Serves a socket until one side ends it; why, if it was ours. What is queued when `closing`
/// resolves is still sent, unless the socket is closed for not taking it.
pub(super) async fn serve(
    socket: &mut WebSocket,
    queue: &mut mpsc::Receiver<String>,
    closing: impl Future<Output = Option<Closing>>,
    ping: Duration,
    mut take: impl FnMut(Came<'_>),
) -> Option<Closing> {
    let mut pings = tokio::time::interval(ping);
    let mut heard = Stamp::now();
    tokio::pin!(closing);
    loop {
        tokio::select! {
            biased;
            closing = &mut closing => {
                while closing != Some(Closing::Slow)
                    && let Ok(text) = queue.try_recv()
                {
                    if !sent(socket, Message::Text(text.into()), Duration::from_secs(1)).await {
                        return None;
                    }
                }
                return closing;
            }
            Some(text) = queue.recv() => {
                if !sent(socket, Message::Text(text.into()), ping).await {
                    return None;
                }
            }
            frame = socket.recv() => {
                heard = Stamp::now();
                match frame {
                    Some(Ok(Message::Text(text))) => take(Came::Text(&text)),
                    Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
                    Some(Ok(Message::Binary(_))) => take(Came::Binary),
                    Some(Err(error)) => return fault(error),
                    Some(Ok(Message::Close(_))) | None => return None,
                }
            }
            _ = pings.tick() => {
                if heard.elapsed() > ping * 3 {
                    return Some(Closing::Idle);
                }
                if !sent(socket, Message::Ping(Vec::new().into()), ping).await {
                    return None;
                }
            }
        }
    }
}

/// What the other side is told of a frame that was not taken (RFC 6455, 7.4.1); nothing where it is gone.
fn fault(error: axum::Error) -> Option<Closing> {
    let error = error.into_inner();
    let error = error.downcast_ref::<Error>()?;
    if matches!(error, Error::Capacity(_)) {
        return Some(Closing::TooBig);
    }
    matches!(error, Error::Utf8(_)).then_some(Closing::NotText)
}

/// The last word.
pub(super) async fn close(socket: &mut WebSocket, closing: Closing) {
    let frame = CloseFrame { code: closing.code(), reason: closing.reason().into() };
    sent(socket, Message::Close(Some(frame)), Duration::from_secs(1)).await;
}

/// A socket that takes nothing for as long as a ping is given up.
async fn sent(socket: &mut WebSocket, message: Message, wait: Duration) -> bool {
    matches!(tokio::time::timeout(wait, socket.send(message)).await, Ok(Ok(())))
}
