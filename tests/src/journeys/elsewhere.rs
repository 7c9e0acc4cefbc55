//! Somebody answers in the platform's own app: the agent sees it, by sender `external`.

use crate::company::Account;
use crate::customers::Reply;
use crate::narrator::Actor;
use crate::talk::Talk;
use crate::world::World;

pub(super) const STORY: &str = "While Fay talks with Ole on Messenger, the boss answers him from a phone. The echo is \
    not ours, so it becomes a message of the conversation, and Fay sees it.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Page.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let ole = world.customer(Account::Page, "Ole")?;
    let mut talk = Talk::begin(world, &ole, "Is the shop open today?").await?;
    talk.reads("Is the shop open today?").await?;
    let text = "We are, come by!".to_owned();
    let own = Reply { provider_id: format!("m_boss_{}", ole.id), tracker: None, text: text.clone() };
    world.narrator.tell(
        Actor::Provider,
        "Messenger",
        "the boss answers from a phone: \u{201c}We are, come by!\u{201d}",
    );
    ole.deliver(&ole.receipt(&own, "echo")?).await?;
    talk.shown(&text).await?;
    world.oracle.of_no_agent(Account::Page);
    world.narrator.tell(Actor::House, "weft", "shows it to Fay");
    talk.customer_writes("On my way!").await?;
    let reply = talk.reply("See you soon.").await?;
    talk.sees(&reply, "sent").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}
