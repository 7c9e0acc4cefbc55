//! An agent declines; the next one is offered it.

use anyhow::ensure;

use crate::company::Account;
use crate::narrator::Actor;
use crate::oracle::OfferEnd;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "Kai is offered to an agent who cannot take it now and says so. The offer goes to the \
    next one at once, and the first stays on queue.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let kai = world.customer(Account::Billing, "Kai")?;
    world.narrator.tell(Actor::Customer, "Kai", "on WhatsApp: \u{201c}There is a fee that I do not know.\u{201d}");
    let written = kai.writes("There is a fee that I do not know.").await?;
    let (busy, offer) = world.offer_of(&kai).await?;
    busy.decline(&offer.conversation_id).await?;
    world.oracle.offer(&busy.id, Account::Billing, OfferEnd::Declined);
    world.narrator.tell(Actor::Agent, &busy.id, "declines");
    let mut talk = Talk::taken_up(world, &kai, Some(written.at_ms), 1).await?;
    ensure!(talk.agent.id != busy.id, "expected the next agent to be offered Kai, {} was again", busy.id);
    talk.reply("It was ours by mistake, and it is gone.").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}
