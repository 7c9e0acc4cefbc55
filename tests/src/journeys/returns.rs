//! A customer who was served comes back inside the window: the same conversation, the same agent.

use anyhow::{Context, ensure};

use super::answered;
use crate::narrator::Actor;
use crate::reports;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "The window of this number is 72 hours. A customer who was served comes back a little \
    later: the same conversation opens again, and the agent who knows her gets it.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    if world.last_served().is_none() {
        answered::play(world).await?;
    }
    let served = world.last_served().context("nobody was served")?;
    let mut talk = Talk::begin(world, &served.customer, "One more thing: can you leave it with a neighbour?").await?;
    ensure!(talk.agent.id == served.agent, "expected the last agent {} to get it, {} did", served.agent, talk.agent.id);
    ensure!(
        talk.conversation_id == served.conversation_id,
        "expected conversation {} to re-open, got {}",
        served.conversation_id,
        talk.conversation_id
    );
    world.narrator.tell(Actor::House, "weft", "the same conversation, its second stint");
    talk.reply("Certainly, I have told the driver.").await?;
    let part = talk.finish("resolved").await?;
    let row = world.reported(&part).await?;
    ensure!(reports::flag(&row, "is_reopen"), "expected is_reopen in the report row");
    ensure!(reports::count(&row, "stint_no") == 2, "expected stint 2, found {}", reports::count(&row, "stint_no"));
    Ok(())
}
