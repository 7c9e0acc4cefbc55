//! The published schemas of open messaging, `docs/open-messaging-*.schema.json`, and the code agree, both ways.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a broken schema or fixture ends the test")]

#[path = "open_schema/inbound.rs"]
mod inbound;
#[path = "open_schema/outbound.rs"]
mod outbound;
#[path = "open_schema/schema.rs"]
mod schema;
