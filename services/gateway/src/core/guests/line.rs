//! One connection: what may be asked before and after a session is there, and how often.

use std::sync::Arc;

use stream::Timestamp;

use super::rates::{Meter, Rate};
use super::refusal::{Code, Refusal};
use super::session::Session;

/// What kind of thing is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wants {
    /// A session.
    Session,
    /// Whether anybody is there.
    Echo,
    /// To show that something is being written.
    Typing,
    /// Anything else that needs a session.
    Other,
}

/// How often each may be asked.
#[derive(Debug, Clone, Copy)]
pub struct LineRates {
    /// Anything.
    pub requests: Rate,
    /// Echoes.
    pub echoes: Rate,
    /// Typing; more is passed over.
    pub typing: Rate,
}

/// What becomes of what was asked.
#[derive(Debug, Clone, PartialEq)]
pub enum Admitted {
    /// It goes on; with the session, if there is one.
    Go(Option<Arc<Session>>),
    /// It is passed over without a word.
    Drop,
}

/// One connection.
#[derive(Debug, Default)]
pub struct Line {
    session: Option<Arc<Session>>,
    requests: Meter,
    echoes: Meter,
    typing: Meter,
}

impl Line {
    /// Whether it may be asked now.
    ///
    /// # Errors
    /// There is no session yet, or it is too often.
    pub fn admit(&mut self, wants: Wants, rates: LineRates, now: Timestamp) -> Result<Admitted, Refusal> {
        if wants == Wants::Typing && self.typing.take(rates.typing, now).is_err() {
            return Ok(Admitted::Drop);
        }
        self.requests
            .take(rates.requests, now)
            .map_err(|wait| Refusal::too_fast("requests on this connection", wait))?;
        match (wants, &self.session) {
            (Wants::Session, session) => Ok(Admitted::Go(session.clone())),
            (Wants::Echo, session) => {
                self.echoes.take(rates.echoes, now).map_err(|wait| Refusal::too_fast("echoes", wait))?;
                Ok(Admitted::Go(session.clone()))
            }
            (Wants::Typing | Wants::Other, Some(session)) => Ok(Admitted::Go(Some(Arc::clone(session)))),
            (Wants::Typing | Wants::Other, None) => {
                Err(Refusal::new(Code::SessionNotFound, "no session yet: configureSession comes first"))
            }
        }
    }

    /// The connection has this session from here on.
    pub fn configured(&mut self, session: Arc<Session>) {
        self.session = Some(session);
    }

    /// The session, if there is one.
    pub fn session(&self) -> Option<&Arc<Session>> {
        self.session.as_ref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::guests::session::SessionId;

    const RATES: LineRates = LineRates {
        requests: Rate::per_minute(4),
        echoes: Rate::per_minute(1),
        typing: Rate { count: 1, per_ms: 5_000 },
    };

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_ms(1_000_000 + ms)
    }

    fn configured() -> Line {
        let mut line = Line::default();
        let spec = schemas::records::GuestSession::default();
        line.configured(Arc::new(Session { id: SessionId::new("s"), tenant: "acme".into(), spec }));
        line
    }

    #[test]
    fn nothing_but_a_session_and_an_echo_is_had_before_a_session() {
        let mut line = Line::default();
        assert_eq!(line.admit(Wants::Session, RATES, at(0)), Ok(Admitted::Go(None)));
        assert_eq!(line.admit(Wants::Echo, RATES, at(0)), Ok(Admitted::Go(None)));
        for wants in [Wants::Typing, Wants::Other] {
            assert_eq!(line.admit(wants, RATES, at(0)).unwrap_err().code, Code::SessionNotFound);
        }
    }

    #[test]
    fn requests_beyond_the_rate_are_refused_with_the_time_to_wait() {
        let mut line = configured();
        for _ in 0..4 {
            assert!(line.admit(Wants::Other, RATES, at(0)).is_ok());
        }
        let refusal = line.admit(Wants::Other, RATES, at(0)).unwrap_err();
        assert_eq!((refusal.code, refusal.retry_after_ms), (Code::TooFast, Some(15_001)));
        assert!(line.admit(Wants::Other, RATES, at(15_001)).is_ok());
    }

    #[test]
    fn typing_too_often_is_passed_over_and_costs_nothing() {
        let mut line = configured();
        assert!(matches!(line.admit(Wants::Typing, RATES, at(0)), Ok(Admitted::Go(Some(_)))));
        for _ in 0..10 {
            assert_eq!(line.admit(Wants::Typing, RATES, at(4_000)), Ok(Admitted::Drop));
        }
        assert!(matches!(line.admit(Wants::Typing, RATES, at(5_000)), Ok(Admitted::Go(Some(_)))));
    }

    #[test]
    fn echoes_have_a_rate_of_their_own() {
        let mut line = configured();
        assert!(line.admit(Wants::Echo, RATES, at(0)).is_ok());
        assert_eq!(line.admit(Wants::Echo, RATES, at(10)).unwrap_err().code, Code::TooFast);
        assert!(line.admit(Wants::Other, RATES, at(10)).is_ok());
    }
}
