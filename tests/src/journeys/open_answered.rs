//! An open-messaging customer is answered: the reply leaves as a signed webhook, the shop's receipt
//! comes back.

use crate::company::Account;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "Finn asks in the shop's chat. Eve answers; the shop's server checks the signature of our \
    webhook, shows the reply and posts receipts.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Shop.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let finn = world.customer(Account::Shop, "Finn")?;
    let mut talk = Talk::begin(world, &finn, "Do you ship to Norway?").await?;
    let reply = talk.reply("We do, in three days.").await?;
    talk.sees(&reply, "sent").await?;
    talk.receipt(&reply, "delivered").await?;
    talk.receipt(&reply, "read").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}
