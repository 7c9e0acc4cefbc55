//! What an agent's desktop was shown, frame by frame.

use std::collections::BTreeMap;

use serde_json::Value;
use stream::clock::{self, Stamp};

/// Everything a desktop was shown since it was switched on, across connections.
#[derive(Debug, Default)]
pub struct Seen {
    /// Connections that the gateway greeted.
    pub hellos: u32,
    /// Presence, as last shown.
    pub presence: String,
    /// Routing status, as last shown.
    pub routing_status: String,
    /// Offers in the order they came.
    pub offers: Vec<Offer>,
    /// Open work by conversation.
    pub work: BTreeMap<String, Value>,
    /// Messages of the agent's conversations, both ways, as often as they were shown.
    pub heard: Vec<Heard>,
    /// States of messages: (message id, state), in the order they came.
    pub deliveries: Vec<(String, String)>,
    /// Copies of attachments: (message id, reference), in the order they came.
    pub copies: Vec<(String, String)>,
    /// Texts of transcripts by the id of what asked for them, oldest first.
    pub transcripts: BTreeMap<String, Vec<String>>,
    /// Answers by command id.
    pub results: BTreeMap<String, Answer>,
    /// What last went wrong with the connection.
    pub trouble: String,
}

/// One offer.
#[derive(Debug, Clone, PartialEq)]
pub struct Offer {
    /// The conversation.
    pub conversation_id: String,
    /// Whose it is.
    pub customer_key: String,
    /// The queue it waits in.
    pub queue_id: String,
    /// When it came, milliseconds since 1970.
    pub at_ms: i64,
}

/// One message as it was shown.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The conversation.
    pub conversation_id: String,
    /// The message.
    pub message_id: String,
    /// `inbound` or `outbound`.
    pub direction: String,
    /// What was written.
    pub text: String,
    /// When it came.
    pub at: Stamp,
}

/// The gateway's answer to a command.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// Whether it was done.
    pub ok: bool,
    /// Why not.
    pub reason: String,
    /// When the answer came, milliseconds since 1970.
    pub at_ms: i64,
}

impl Seen {
    /// Takes in one frame of the gateway.
    pub fn take(&mut self, frame: &Value) {
        match text(frame, "type").as_str() {
            "hello" => {
                self.hellos += 1;
                self.present(frame);
                self.work.clear();
                for item in frame["work"].as_array().into_iter().flatten() {
                    self.work.insert(text(item, "conversation_id"), item.clone());
                }
            }
            "presence" => self.present(frame),
            "offer" => self.offers.push(Offer {
                conversation_id: text(frame, "conversation_id"),
                customer_key: text(frame, "customer_key"),
                queue_id: text(frame, "queue_id"),
                at_ms: clock::now().as_ms(),
            }),
            "work" => {
                let item = &frame["item"];
                self.work.insert(text(item, "conversation_id"), item.clone());
            }
            "work_gone" => {
                self.work.remove(&text(frame, "conversation_id"));
            }
            "message" => self.heard.push(Heard {
                conversation_id: text(frame, "conversation_id"),
                message_id: text(frame, "message_id"),
                direction: text(frame, "direction"),
                text: text(&frame["content"], "text"),
                at: Stamp::now(),
            }),
            "delivery" => self.deliveries.push((text(frame, "message_id"), text(frame, "state"))),
            "media" => self.copies.push((text(frame, "message_id"), text(frame, "stored_ref"))),
            "transcript" => {
                let said = frame["messages"].as_array().into_iter().flatten();
                let texts = said.map(|message| text(&message["content"], "text")).collect();
                self.transcripts.insert(text(frame, "id"), texts);
            }
            "result" => {
                let ok = frame["ok"] == Value::Bool(true);
                let answer = Answer { ok, reason: text(frame, "reason"), at_ms: clock::now().as_ms() };
                self.results.insert(text(frame, "id"), answer);
            }
            "error" => self.trouble = frame.to_string(),
            _ => {}
        }
    }

    fn present(&mut self, frame: &Value) {
        self.presence = text(frame, "presence");
        self.routing_status = text(frame, "routing_status");
    }

    /// States shown of one message, in the order they came.
    pub fn states_of(&self, message_id: &str) -> Vec<String> {
        let of_it = self.deliveries.iter().filter(|(id, _)| id == message_id);
        of_it.map(|(_, state)| state.clone()).collect()
    }
}

/// A field's text; empty if there is none.
fn text(value: &Value, field: &str) -> String {
    value[field].as_str().unwrap_or_default().to_owned()
}
