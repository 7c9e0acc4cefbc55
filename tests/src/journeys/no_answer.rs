//! An offer is not answered and goes to the next agent.

use std::time::Duration;

use anyhow::ensure;

use crate::company::Account;
use crate::narrator::Actor;
use crate::oracle::OfferEnd;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Gus is offered to an agent who has left the desk without saying so. After three seconds \
    the offer goes to the next one, and the first counts as not responding until they say otherwise.";

const STATUS_MAX: Duration = Duration::from_secs(10);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let gus = world.customer(Account::Parcels, "Gus")?;
    world.narrator.tell(Actor::Customer, "Gus", "on WhatsApp: \u{201c}My parcel is wet.\u{201d}");
    let written = gus.writes("My parcel is wet.").await?;
    let (absent, _) = world.offer_of(&gus).await?;
    world.narrator.tell(Actor::Agent, &absent.id, "does not answer");
    let mut talk = Talk::taken_up(world, &gus, Some(written.at_ms), 1).await?;
    world.oracle.offer(&absent.id, Account::Parcels, OfferEnd::NotAnswered);
    ensure!(talk.agent.id != absent.id, "expected the next agent to be offered Gus, {} was again", absent.id);
    wait_for(&format!("{} shown as not responding", absent.id), STATUS_MAX, || async {
        let status = absent.seen().routing_status.clone();
        if status == "not_responding" { Ok(()) } else { Err(status) }
    })
    .await?;
    absent.presence("on_queue").await?;
    talk.reply("I am sorry, we will replace it.").await?;
    let part = talk.finish("follow-up").await?;
    world.reported(&part).await.map(drop)
}
