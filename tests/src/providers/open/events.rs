//! Events of a conversation: what changed, beside its messages.

use serde_json::Value;

use crate::providers::shape::{Problem, Shape};

const CHANGES: &[&str] = &["Opened", "Reopened", "OwnerChanged", "Transferred", "Ended", "Closed"];

pub(super) fn check(events: &[Value]) -> Result<(), Problem> {
    let [only] = events else { return Err(format!("events: expected one, found {}", events.len())) };
    let mut event = Shape::of(only, "events[0]")?;
    match event.one_of("eventType", &["Lifecycle", "Typing", "Read", "Reaction"])? {
        "Lifecycle" => lifecycle(event.inner("lifecycle")?)?,
        "Typing" => {
            let mut typing = event.inner("typing")?;
            typing.one_of("type", &["On"])?;
            typing.get("duration").and_then(Value::as_i64).ok_or("typing.duration: expected milliseconds")?;
            typing.end()?;
        }
        "Read" => {
            let mut read = event.inner("read")?;
            read.needed("messageId")?;
            read.end()?;
        }
        _ => {
            let mut reaction = event.inner("reaction")?;
            reaction.needed("messageId")?;
            reaction.text("emoji")?;
            reaction.end()?;
        }
    }
    event.end()
}

fn lifecycle(mut change: Shape<'_>) -> Result<(), Problem> {
    let kind = change.one_of("type", CHANGES)?;
    change.needed("conversationId")?;
    let texts = ["stintId", "initiator", "cause", "entryPoint", "predecessorId", "ownerKind", "ownerId", "queueId"];
    for name in texts {
        change.text(name)?;
    }
    for name in ["stintNo", "isNewCustomer"] {
        change.get(name);
    }
    if kind != "Opened" && change.get("cause").is_none() {
        return Err("lifecycle.cause: is required".into());
    }
    change.end()
}
