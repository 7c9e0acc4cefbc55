//! Bodies that must get on.

use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Bytes, HttpBody};
use hyper::body::{Frame, SizeHint};
use tokio::time::Sleep;

/// Time that every body has.
const GRACE: Duration = Duration::from_secs(10);
/// Bytes that buy one second more.
const BYTES_PER_S_MIN: u64 = 1_024;

/// A body that came too slowly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct TooSlow;

impl std::fmt::Display for TooSlow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {BYTES_PER_S_MIN} bytes of the body a second")
    }
}

impl std::error::Error for TooSlow {}

/// A body that ends with an error when it does not get on.
pub(crate) struct Paced<B> {
    body: B,
    patience: Pin<Box<Sleep>>,
}

impl<B> Paced<B> {
    pub(crate) fn new(body: B) -> Self {
        Self::with(body, GRACE)
    }

    fn with(body: B, grace: Duration) -> Self {
        Self { body, patience: Box::pin(tokio::time::sleep(grace)) }
    }
}

impl<B> HttpBody for Paced<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<axum::BoxError>,
{
    type Data = Bytes;
    type Error = axum::BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let bytes = frame.data_ref().map_or(0, Bytes::len) as u64;
                let later = self.patience.deadline() + Duration::from_millis(bytes * 1_000 / BYTES_PER_S_MIN);
                self.patience.as_mut().reset(later);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(error.into()))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => self.patience.as_mut().poll(context).map(|()| Some(Err(TooSlow.into()))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    /// So many bytes every 50 ms.
    struct Slow(Pin<Box<Sleep>>, usize);

    impl HttpBody for Slow {
        type Data = Bytes;
        type Error = axum::BoxError;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            context: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
            let bytes = self.1;
            self.0.as_mut().poll(context).map(|()| {
                let next = self.0.deadline() + Duration::from_millis(50);
                self.0.as_mut().reset(next);
                Some(Ok(Frame::data(Bytes::from(vec![0; bytes]))))
            })
        }
    }

    async fn frames(bytes: usize, most: usize) -> Result<usize, String> {
        let slow = Slow(Box::pin(tokio::time::sleep(Duration::ZERO)), bytes);
        let mut body = Paced::with(slow, Duration::from_millis(200));
        for _ in 0..most {
            match poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(error.to_string()),
                None => return Err("the body ended".to_owned()),
            }
        }
        Ok(most)
    }

    #[tokio::test]
    async fn a_body_that_hardly_comes_is_given_up_and_one_that_gets_on_is_not() {
        assert_eq!(frames(1, 1_000).await, Err(TooSlow.to_string()));
        assert_eq!(frames(32_768, 10).await, Ok(10), "each part buys half a minute");
    }
}
