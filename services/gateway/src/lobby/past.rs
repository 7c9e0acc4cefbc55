//! What was said before: missed by who comes back, or asked for. The latest lies in memory, the rest
//! in ClickHouse.

use std::sync::Arc;
use std::time::Duration;

use schemas::ids::ConversationId;
use schemas::records::{Content, Direction, SenderKind};
use stream::clock::{self, Stamp};

use super::frames::{self, Body, Closed, SessionResponse};
use super::seats::Seat;
use super::{Chair, Inner, Lobby};
use crate::core::guests::Refusal;
use crate::core::guests::rates::Rate;
use crate::core::guests::session::{Decision, Session};
use crate::core::guests::shown::{Missed, Place, Shown};
use crate::hub::Closing;
use crate::outlets::transcripts::{Row, Span, TranscriptError};

/// What is not in ClickHouse yet is asked for again after this.
const ASK_AGAIN: Duration = Duration::from_millis(250);
/// Conversations that one page of history looks into.
const CONVERSATIONS_MAX: u32 = 20;
const PAGE_MAX: usize = 100;
const PAGE: usize = 25;
/// The delivery state of what consent forbade.
const REFUSED: &str = "refused";

/// A page of what was said.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    /// The messages, oldest first.
    pub messages: Vec<Arc<Shown>>,
    /// Whether there are older ones.
    pub has_more: bool,
    /// Whether nothing is missing between them.
    pub is_complete: bool,
}

impl Lobby {
    /// The place of a message that a guest names.
    pub(super) fn place(&self, session: &Session, at: (ConversationId, i64)) -> Result<Place, Refusal> {
        let place = Place::of(session.customer(), at.0, at.1);
        place.ok_or_else(|| Refusal::missing("conversationId: expected a conversation of this session"))
    }

    /// Answers a request for a session, with what was missed after it, and joins the connection to
    /// the living stream.
    pub(super) async fn sit(
        &self,
        chair: &Chair,
        decision: &Decision,
        after: Option<Place>,
        (token, tracing_id): (Option<String>, Option<&str>),
    ) {
        let session = &decision.session;
        let wait = Duration::from_millis(self.shared.gateway.transcript_wait_ms);
        let began = Stamp::now();
        let mut older: Option<Vec<Shown>> = None;
        loop {
            {
                let mut inner = self.lock();
                let memory = inner.guests.memory(session.customer());
                let missed = match after {
                    Some(after) => memory.missed(after, older.clone().unwrap_or_default()),
                    None => Missed { messages: Vec::new(), is_complete: true },
                };
                let is_known = after.is_none() || memory.knows_the_end() || older.is_some();
                if missed.is_complete && is_known || began.elapsed() >= wait {
                    let missed = Missed { is_complete: missed.is_complete && is_known, ..missed };
                    return self.join(&mut inner, chair, (decision, token, tracing_id), missed);
                }
            }
            if older.is_some() {
                tokio::time::sleep(ASK_AGAIN).await;
            }
            let Some(after) = after else { return };
            match self.since(session, after).await {
                Ok(rows) => older = Some(rows),
                Err(error) => {
                    tracing::warn!(%error, "a guest comes back and what they missed cannot be read");
                    tokio::time::sleep(ASK_AGAIN).await;
                }
            }
        }
    }

    fn join(
        &self,
        inner: &mut Inner,
        chair: &Chair,
        (decision, token, tracing_id): (&Decision, Option<String>, Option<&str>),
        missed: Missed,
    ) {
        let session = &decision.session;
        let (settings, max) = (&self.shared.settings, self.shared.settings.missed_max);
        let skipped = missed.messages.len().saturating_sub(max);
        let messages = &missed.messages[skipped..];
        let response = SessionResponse {
            connected: true,
            new_session: decision.is_new,
            token,
            cleared_existing_session: decision.is_new && decision.ends.is_some(),
            signed_in: session.spec.subject.is_some(),
            duration_seconds: inner.guests.session_ms(&session.tenant, &session.spec.account_id) / 1_000,
            expiration_date: inner.guests.expires_at(session).as_ms().div_euclid(1_000),
            missed: messages.len(),
            missed_is_complete: missed.is_complete && skipped == 0,
            cleared_at: inner.guests.memory(session.customer()).cleared_at,
            max_message_bytes: settings.text_bytes_max,
            max_custom_data_bytes: settings.attributes_bytes_max,
            heartbeat_seconds: self.shared.gateway.ping_s,
        };
        let body = Body::SessionResponse(Box::new(response));
        let lines = messages.iter().map(|shown| Body::StructuredMessage(Box::new(self.line(shown))));
        let mut texts = vec![frames::response(&body, tracing_id)];
        texts.extend(lines.map(|line| frames::message(&line)));
        let has_room = texts.into_iter().all(|text| chair.frames.try_send(text).is_ok());
        if !has_room {
            // it may be closing by itself
            let _ = chair.close.try_send(Closing::Slow);
            return;
        }
        inner.seats.take(Seat::of(chair, session));
        let body = Body::ConnectionClosedEvent(Closed { reason: "session_limit" });
        for id in inner.seats.beyond(session.customer(), settings.connections_max) {
            self.close(inner, id, &body, Closing::SessionLimit);
        }
    }

    /// A page of what was said before a message, or of the latest.
    ///
    /// # Errors
    /// It is too often, or the message is not the guest's.
    pub async fn history(
        &self,
        chair: &Chair,
        session: &Session,
        before: Option<(ConversationId, i64)>,
        size: Option<usize>,
    ) -> Result<Page, Refusal> {
        let before = before.map(|before| self.place(session, before)).transpose()?;
        let memory = {
            let (mut inner, now) = (self.lock(), clock::now());
            inner.guests.session(&chair.door, &session.id, now)?;
            let rate = Rate::per_minute(self.shared.settings.history_per_min_max);
            let taken = inner.guests.take_history(session, rate, now);
            taken.map_err(|wait| Refusal::too_fast("looks at the history", wait))?;
            inner.guests.memory(session.customer())
        };
        let size = size.unwrap_or(PAGE).clamp(1, PAGE_MAX);
        let mut page = Page { messages: Vec::new(), has_more: false, is_complete: true };
        let mut from = match (before, memory.number()) {
            (Some(before), _) => before,
            (None, Some(number)) => Place { number, seq: i64::MAX },
            (None, None) => match self.latest(session).await {
                Ok(number) => Place { number, seq: i64::MAX },
                Err(error) => return Ok(without_older(page, &error)),
            },
        };
        for _ in 0..CONVERSATIONS_MAX {
            if from.number == 0 || page.messages.len() >= size {
                break;
            }
            let wanted = size - page.messages.len();
            let older = match self.before(session, from, wanted).await {
                Ok(older) => older,
                Err(error) => {
                    page = without_older(page, &error);
                    Vec::new()
                }
            };
            let mut messages = memory.page(from, older, wanted);
            messages.append(&mut page.messages);
            page.messages = messages;
            from = Place { number: from.number - 1, seq: i64::MAX };
        }
        let first = page.messages.first().map(|shown| shown.place);
        page.has_more = first.is_some_and(|first| first > Place { number: 1, seq: 1 });
        Ok(page)
    }

    async fn since(&self, session: &Session, after: Place) -> Result<Vec<Shown>, TranscriptError> {
        let max = u32::try_from(self.shared.settings.missed_max).unwrap_or(u32::MAX);
        let (mut all, mut number, mut seq) = (Vec::new(), after.number, after.seq);
        while all.len() <= self.shared.settings.missed_max {
            let rows = self.rows(session, number, Span::After(seq), max).await?;
            if rows.is_empty() && number > after.number {
                break;
            }
            all.extend(rows);
            (number, seq) = (number + 1, 0);
        }
        Ok(all)
    }

    async fn before(&self, session: &Session, before: Place, max: usize) -> Result<Vec<Shown>, TranscriptError> {
        let max = u32::try_from(max).unwrap_or(u32::MAX);
        self.rows(session, before.number, Span::Before(before.seq), max).await
    }

    /// The number of the guest's latest conversation; 0 if there is none. Conversations are numbered
    /// without gaps, so it is found by doubling and halving.
    async fn latest(&self, session: &Session) -> Result<u32, TranscriptError> {
        let (mut there, mut gone) = (0, 1);
        while !self.rows(session, gone, Span::After(0), 1).await?.is_empty() {
            (there, gone) = (gone, gone.saturating_mul(2));
        }
        while gone - there > 1 {
            let middle = there + (gone - there) / 2;
            if self.rows(session, middle, Span::After(0), 1).await?.is_empty() {
                gone = middle;
            } else {
                there = middle;
            }
        }
        Ok(there)
    }

    async fn rows(&self, session: &Session, number: u32, span: Span, max: u32) -> Result<Vec<Shown>, TranscriptError> {
        let conversation = ConversationId::of(session.customer(), number);
        let rows = self.shared.transcripts.rows(&session.tenant, conversation, span, max).await?;
        Ok(rows.into_iter().map(|row| shown(row, conversation, number)).collect())
    }
}

fn without_older(page: Page, error: &TranscriptError) -> Page {
    tracing::warn!(%error, "a guest's history without its older part");
    Page { is_complete: false, ..page }
}

/// ClickHouse keeps the words of a message, not its media and choices.
fn shown(row: Row, conversation: ConversationId, number: u32) -> Shown {
    let is_theirs = row.direction == Direction::Inbound;
    let text = (!row.text.is_empty()).then_some(row.text);
    Shown {
        place: Place { number, seq: row.seq },
        conversation,
        message_id: Some(row.message_id),
        client_id: None,
        direction: row.direction,
        from: if is_theirs { SenderKind::Customer } else { row.sender_kind },
        content: Content { content_kind: row.content_kind, text, ..Content::default() },
        at: row.occurred_at,
        is_withheld: row.delivery_state.as_deref() == Some(REFUSED),
    }
}
