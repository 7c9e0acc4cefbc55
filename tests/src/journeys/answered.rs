//! A new WhatsApp customer writes, is answered, receives the reply and reads it, is wrapped up.

use crate::company::Account;
use crate::talk::Talk;
use crate::world::{Served, World};

pub(super) const STORY: &str = "Ada has never written before. Her message reaches an agent, the reply reaches her phone, \
    both ticks turn blue, and the agent wraps up.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let ada = world.customer(Account::Parcels, "Ada")?;
    let mut talk = Talk::begin(world, &ada, "Hello, where is my parcel?").await?;
    let reply = talk.reply("Good morning Ada, it is on the van: before noon.").await?;
    talk.sees(&reply, "sent").await?;
    talk.receipt(&reply, "delivered").await?;
    talk.receipt(&reply, "read").await?;
    talk.customer_writes("Wonderful, thank you!").await?;
    let (agent, conversation_id) = (talk.agent.id.clone(), talk.conversation_id.clone());
    let part = talk.finish("resolved").await?;
    world.reported(&part).await?;
    world.remember(Served { customer: ada, agent, conversation_id });
    Ok(())
}
