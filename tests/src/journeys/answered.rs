//! A new WhatsApp customer writes, is answered, receives the reply and reads it, is wrapped up.

use std::sync::Arc;

use crate::company::Account;
use crate::customers::Customer;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "Ada has never written before. Her message reaches an agent, the reply reaches her phone, \
    both ticks turn blue, and the agent wraps up.";

/// Who was served, for whoever tells what happened next.
pub(super) struct Served {
    pub(super) customer: Arc<Customer>,
    pub(super) agent: String,
    pub(super) conversation_id: String,
}

pub(super) async fn play(world: &World) -> anyhow::Result<Served> {
    let ada = world.customer(Account::Parcels, "Ada")?;
    let mut talk = Talk::begin(world, &ada, "Hello, where is my parcel?").await?;
    let reply = talk.reply("Good morning Ada, it is on the van: before noon.").await?;
    talk.sees(&reply, "sent").await?;
    talk.receipt(&reply, "delivered").await?;
    talk.receipt(&reply, "read").await?;
    talk.customer_writes("Wonderful, thank you!").await?;
    let served =
        Served { customer: ada, agent: talk.agent.id.clone(), conversation_id: talk.conversation_id.clone() };
    let part = talk.finish("resolved").await?;
    world.reported(&part).await?;
    Ok(served)
}
