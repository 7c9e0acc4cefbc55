//! What the machine wants done.

use schemas::ids::{AttemptId, MessageId};
use schemas::records::{AccountState, Channel, Customer, DeliveryEvent, Millis, SenderKind};

use super::bots::{BotCall, TurnFinished};
use super::event::{AccountKey, Asked, Echo, Route};
use super::media::Copy;
use super::rendering::Part;
use schemas::ids::CustomerKey;

/// Everything the shell must do, in one transaction; calls after it.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// Say what became of a message.
    Event(Box<DeliveryEvent>),
    /// What became of something of which reports hear nothing; counted.
    Quiet(Box<DeliveryEvent>),
    /// Say how an account is.
    Account(Box<AccountState>),
    /// Call the provider.
    Send(Box<Send>),
    /// Fetch something and keep it.
    Copy(Box<Copy>),
    /// Call the provider once, whatever comes of it.
    Signal(Box<Send>),
    /// Ask a bot.
    CallBot(Box<BotCall>),
    /// Say how a bot's turn ended, to whoever asked.
    Turned(Box<TurnFinished>),
    /// Lay the record that asked aside, for somebody to send it again.
    DeadLetter(Box<Exhaustion>),
    /// Tell threading what somebody answered elsewhere; decided at.
    Foreign(Box<Echo>, Millis),
    /// Tell threading that the provider knows of an opt-out that we did not.
    OptedOut(Box<OptedOut>),
    /// Something came that changes nothing.
    Ignored(Ignored),
}

/// What the shell is asked to do outside, after the transaction.
#[derive(Debug, Clone, PartialEq)]
pub enum Errand {
    /// Call the provider.
    Send(Box<Send>),
    /// Fetch something and keep it.
    Copy(Box<Copy>),
    /// Ask a bot.
    Bot(Box<BotCall>),
}

/// One committed attempt, with all that the call needs.
#[derive(Debug, Clone, PartialEq)]
pub struct Send {
    /// The message.
    pub message_id: MessageId,
    /// What it is called outside: another id where it went before.
    pub known_as: MessageId,
    /// The attempt.
    pub attempt_id: AttemptId,
    /// Its number, from 1.
    pub attempt_no: i64,
    /// The channel.
    pub channel: Channel,
    /// The account.
    pub account: AccountKey,
    /// To whom, as a key.
    pub customer_key: CustomerKey,
    /// To whom, as the platform knows them.
    pub customer: Customer,
    /// Who says it.
    pub sender: SenderKind,
    /// What: one message of the channel.
    pub part: Part,
    /// Which part of the message that is, from 1.
    pub part_no: i64,
    /// The provider's id of the message that it answers.
    pub quotes: Option<String>,
    /// When it was said.
    pub occurred_at: Millis,
    /// End of the reply window.
    pub window_ends_at: Option<Millis>,
    /// When it shall no longer be sent.
    pub expires_at: Option<Millis>,
    /// Where it leaves.
    pub route: Route,
}

/// A message given up after its whole schedule.
#[derive(Debug, Clone, PartialEq)]
pub struct Exhaustion {
    /// What was asked, by which record.
    pub asked: Asked,
    /// How often it was tried.
    pub attempts: i64,
    /// The last failure.
    pub reason: String,
    /// When.
    pub at: Millis,
}

/// An opt-out that the provider knows of.
#[derive(Debug, Clone, PartialEq)]
pub struct OptedOut {
    /// The message that failed for it.
    pub message_id: MessageId,
    /// The account.
    pub account: AccountKey,
    /// Its channel.
    pub channel: Channel,
    /// Who.
    pub customer_key: CustomerKey,
    /// What for.
    pub purpose: &'static str,
    /// When we were told.
    pub at: Millis,
}

/// Why something that came changed nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ignored {
    /// The same message was asked for before.
    Repeated,
    /// The receipt says nothing new.
    Stale,
    /// The receipt is about no message of ours, or of too long ago.
    Foreign,
}
