//! Closed until it is known who may send: whoever comes before is asked to come again.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// When to come again, seconds.
const RETRY_AFTER_S: u32 = 5;

/// Closed at first; clones are one gate.
#[derive(Debug, Clone, Default)]
pub struct Gate(Arc<AtomicBool>);

impl Gate {
    /// Lets everybody through from now on.
    pub fn open(&self) {
        self.0.store(true, Ordering::Release);
    }

    /// Whether requests get through.
    pub fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire)
    }

    /// The same for `/readyz`.
    ///
    /// # Errors
    /// What is waited for.
    pub fn state(&self) -> Result<(), String> {
        if self.is_open() { Ok(()) } else { Err("who may send is not known yet".to_owned()) }
    }
}

/// A layer of the public port: 503 with `Retry-After` while the gate is closed.
pub async fn closed(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    if gate.is_open() {
        return next.run(request).await;
    }
    Problem::unavailable("it is not known yet who may send").retry_after(RETRY_AFTER_S).into_response()
}
