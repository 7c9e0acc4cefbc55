//! An open-messaging customer leaves before anybody took up the conversation: abandoned.

use stream::clock;

use crate::company::Account;
use crate::narrator::Actor;
use crate::oracle::Abandoned;
use crate::world::World;

pub(super) const STORY: &str = "Nobody is on queue for the shop. Dora writes in the shop's chat, waits a moment, and \
    closes it: an abandoned visit, no agent's fault.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Shop.members() {
        world.agent(id).presence("break").await?;
    }
    let dora = world.customer(Account::Shop, "Dora")?;
    world.narrator.tell(Actor::Customer, "Dora", "in the shop's chat: \u{201c}Is the blue one in stock?\u{201d}");
    let written = dora.writes("Is the blue one in stock?").await?;
    dora.deliver(&dora.left()?).await?;
    let wait_s = (clock::now().as_ms() - written.at_ms) as f64 / 1000.0;
    world.narrator.tell(Actor::Customer, "Dora", "closes the chat");
    let abandoned = Abandoned { customer_key: dora.key.to_string(), account: Account::Shop, wait_s };
    world.oracle.abandoned(&abandoned);
    world.reported_abandoned(&abandoned).await
}
