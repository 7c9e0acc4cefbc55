//! The journeys that a message can make, one file each; every one is followed to its report row.

mod after_window;
mod answered;
mod bad_input;
mod begun;
mod bot;
mod declined;
mod elsewhere;
mod guest;
mod leaves_waiting;
mod no_answer;
mod open_answered;
mod operated;
mod owner_gone;
mod picture;
mod reached;
mod returns;
mod social;
mod twice;

use crate::company::Account;
use crate::world::World;

/// A journey.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Journey {
    /// A new customer is answered.
    Answered,
    /// One comes back inside the window.
    Returns,
    /// One comes back after the window.
    AfterWindow,
    /// One leaves while waiting.
    LeavesWaiting,
    /// One is answered over open messaging.
    OpenAnswered,
    /// The company writes first, as far as consent allows.
    Reached,
    /// An agent writes first.
    Begun,
    /// Operators import consents and replay webhooks.
    Operated,
    /// An offer is not answered.
    NoAnswer,
    /// An agent's connection dies.
    OwnerGone,
    /// Every webhook comes twice and out of order.
    Twice,
    /// An agent declines an offer.
    Declined,
    /// One writes on Messenger.
    Messenger,
    /// One writes on Instagram.
    Instagram,
    /// One writes on X.
    Twitter,
    /// Somebody answers in the platform's own app.
    Elsewhere,
    /// A guest writes on the company's page.
    Guest,
    /// Pictures go both ways.
    Picture,
    /// A bot greets and hands over.
    Bot,
    /// What should not have come.
    BadInput,
}

impl Journey {
    /// Those that make up a day, in the order in which they are told.
    pub const ALL: [Self; 18] = [
        Self::Answered,
        Self::Returns,
        Self::AfterWindow,
        Self::LeavesWaiting,
        Self::OpenAnswered,
        Self::NoAnswer,
        Self::OwnerGone,
        Self::Twice,
        Self::Declined,
        Self::Messenger,
        Self::Instagram,
        Self::Twitter,
        Self::Elsewhere,
        Self::Guest,
        Self::Picture,
        Self::Bot,
        Self::Operated,
        Self::BadInput,
    ];

    /// A headline.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Answered => "A new customer is answered",
            Self::Returns => "She comes back inside the window",
            Self::AfterWindow => "Another comes back after the window",
            Self::LeavesWaiting => "Somebody leaves while waiting",
            Self::OpenAnswered => "The shop's own chat is answered",
            Self::Reached => "The company writes first, as far as consent allows",
            Self::Begun => "An agent writes first",
            Self::Operated => "A list of consents is imported, a webhook's past is replayed",
            Self::NoAnswer => "An offer is not answered",
            Self::OwnerGone => "An agent's connection dies",
            Self::Twice => "Every webhook comes twice and out of order",
            Self::Declined => "An agent declines an offer",
            Self::Messenger => "A Messenger customer is answered",
            Self::Instagram => "An Instagram customer is answered",
            Self::Twitter => "A customer on X is answered",
            Self::Elsewhere => "Somebody answers in the platform's own app",
            Self::Guest => "A guest on the web page is answered",
            Self::Picture => "Pictures go both ways",
            Self::Bot => "A bot greets and hands over",
            Self::BadInput => "What should not have come",
        }
    }

    /// What it is about, for a person.
    pub const fn story(self) -> &'static str {
        match self {
            Self::Answered => answered::STORY,
            Self::Returns => returns::STORY,
            Self::AfterWindow => after_window::STORY,
            Self::LeavesWaiting => leaves_waiting::STORY,
            Self::OpenAnswered => open_answered::STORY,
            Self::Reached => reached::STORY,
            Self::Begun => begun::STORY,
            Self::Operated => operated::STORY,
            Self::NoAnswer => no_answer::STORY,
            Self::OwnerGone => owner_gone::STORY,
            Self::Twice => twice::STORY,
            Self::Declined => declined::STORY,
            Self::Messenger => social::MESSENGER,
            Self::Instagram => social::INSTAGRAM,
            Self::Twitter => social::TWITTER,
            Self::Elsewhere => elsewhere::STORY,
            Self::Guest => guest::STORY,
            Self::Picture => picture::STORY,
            Self::Bot => bot::STORY,
            Self::BadInput => bad_input::STORY,
        }
    }

    /// The account that it plays on.
    pub const fn account(self) -> Account {
        match self {
            Self::Answered | Self::Returns | Self::NoAnswer | Self::OwnerGone | Self::Picture | Self::BadInput => {
                Account::Parcels
            }
            Self::AfterWindow | Self::Twice | Self::Declined => Account::Billing,
            Self::LeavesWaiting | Self::OpenAnswered | Self::Reached | Self::Begun | Self::Operated => Account::Shop,
            Self::Messenger | Self::Elsewhere => Account::Page,
            Self::Instagram => Account::Gallery,
            Self::Twitter => Account::Bird,
            Self::Guest => Account::Web,
            Self::Bot => Account::Help,
        }
    }

    /// Plays it to the end.
    ///
    /// # Errors
    /// Saying what did not happen as it should.
    pub async fn play(self, world: &World) -> anyhow::Result<()> {
        match self {
            Self::Answered => answered::play(world).await,
            Self::Returns => returns::play(world).await,
            Self::AfterWindow => after_window::play(world).await,
            Self::LeavesWaiting => leaves_waiting::play(world).await,
            Self::OpenAnswered => open_answered::play(world).await,
            Self::Reached => reached::play(world).await,
            Self::Begun => begun::play(world).await,
            Self::Operated => operated::play(world).await,
            Self::NoAnswer => no_answer::play(world).await,
            Self::OwnerGone => owner_gone::play(world).await,
            Self::Twice => twice::play(world).await,
            Self::Declined => declined::play(world).await,
            Self::Messenger => social::play(world, Account::Page).await,
            Self::Instagram => social::play(world, Account::Gallery).await,
            Self::Twitter => social::play(world, Account::Bird).await,
            Self::Elsewhere => elsewhere::play(world).await,
            Self::Guest => guest::play(world).await,
            Self::Picture => picture::play(world).await,
            Self::Bot => bot::play(world).await,
            Self::BadInput => bad_input::play(world).await,
        }
    }
}
