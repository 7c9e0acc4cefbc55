//! An agent's connection dies during a talk, the customer writes on: by the queue's `owner_away`
//! policy the conversation goes to another agent.

use anyhow::ensure;

use crate::company::Account;
use crate::narrator::Actor;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "Hal is being served when the agent's computer crashes. He writes on; after the queue's \
    grace of a second the conversation is offered to somebody else, and nothing he wrote is lost.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let hal = world.customer(Account::Parcels, "Hal")?;
    let mut first = Talk::begin(world, &hal, "The label came off.").await?;
    first.reply("Do you still have it?").await?;
    let gone = first.agent.clone();
    gone.die();
    world.narrator.tell(Actor::Agent, &gone.id, "is gone: the connection died");
    let said = "Yes, here it is. Are you still there?";
    world.narrator.tell(Actor::Customer, "Hal", &format!("on WhatsApp: \u{201c}{said}\u{201d}"));
    hal.writes(said).await?;
    first.customer_wrote();
    let mut second = Talk::taken_up(world, &hal, None, 0).await?;
    let taken_away = first.taken_away(second.offered_ms);
    ensure!(second.agent.id != gone.id, "expected another agent than {} to get it", gone.id);
    second.reply("I am here now, please send me a photo.").await?;
    let part = second.finish("resolved").await?;
    world.reported(&taken_away).await?;
    world.reported(&part).await?;
    gone.sit_down().await?;
    gone.presence("on_queue").await.map(drop)
}
