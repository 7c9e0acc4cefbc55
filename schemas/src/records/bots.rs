//! What bots are told and what they answer (F4): our own dialect, and the JSON in `body` of a bot turn
//! and of its result.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Channel, Content};
use crate::ids::{AccountId, ConversationId, StintId};

/// Messages of one answer.
pub const BOT_MESSAGES_MAX: usize = 10;

/// One thing that a customer said, for a bot.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BotTurn {
    /// The same for all turns of one stint.
    pub session_id: StintId,
    /// The lasting thread.
    pub conversation_id: ConversationId,
    /// Counted from 1 within the session.
    pub turn_no: i64,
    /// The channel.
    pub channel: Channel,
    /// Our account.
    pub account_id: AccountId,
    /// What was said.
    pub message: Content,
    /// What to call the customer.
    pub customer_name: Option<String>,
    /// Their language as the platform tells it.
    pub language: Option<String>,
    /// Whether they came back inside the window.
    pub returning: bool,
}

/// What a bot wants done. Fields that it leaves out are empty; unknown ones are passed over.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct BotAnswer {
    /// What it says, in this order; at most [`BOT_MESSAGES_MAX`].
    pub messages: Vec<Content>,
    /// What comes next.
    pub next: BotNext,
    /// What it takes the customer to want.
    pub intent: Option<String>,
    /// What it learned, by name.
    pub slots: BTreeMap<String, String>,
    /// Attributes of the conversation to be set.
    pub attributes: BTreeMap<String, String>,
}

/// What comes after a bot's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BotNext {
    /// The customer speaks.
    #[default]
    More,
    /// The bot is done; the stint goes to a person.
    Done,
    /// The customer wants a person.
    Agent,
    /// The bot does not know how to go on.
    Failed,
    /// The matter is settled: the stint ends.
    End,
}

impl BotAnswer {
    /// Reads an answer.
    ///
    /// # Errors
    /// If it is no JSON object of this shape, or says too much.
    pub fn read(json: &[u8]) -> Result<Self, String> {
        let answer: Self = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if answer.messages.len() > BOT_MESSAGES_MAX {
            return Err(format!("expected at most {BOT_MESSAGES_MAX} messages, found {}", answer.messages.len()));
        }
        Ok(answer)
    }

    /// As it travels.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and maps with text keys")
    }
}

impl BotTurn {
    /// As it travels.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("texts, numbers and maps with text keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_leniently_and_says_no_more_than_it_may() {
        let answer = BotAnswer::read(br#"{"messages": [{"text": "Hi"}], "next": "agent", "more": 1}"#).unwrap();
        assert_eq!((answer.messages[0].text.as_deref(), answer.next), (Some("Hi"), BotNext::Agent));
        assert_eq!(BotAnswer::read(b"{}").unwrap(), BotAnswer::default());
        let many = format!(r#"{{"messages": [{}]}}"#, ["{}"; 11].join(","));
        for wrong in ["", "[]x", "{\"next\": \"dance\"}", "{\"messages\": 7}", &many] {
            assert!(BotAnswer::read(wrong.as_bytes()).is_err(), "{wrong}");
        }
        assert_eq!(BotAnswer::read(answer.to_json().as_bytes()), Ok(answer));
    }
}
