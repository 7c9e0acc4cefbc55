//! Customers of Messenger, Instagram and X are answered; the platform tells our own message back,
//! and how far it came.

use anyhow::ensure;

use crate::company::Account;
use crate::talk::Talk;
use crate::world::World;

pub(super) const MESSENGER: &str = "Lea writes to the page. The reply carries our id, the echo brings it back and is \
    nobody else's message; she reads it, which Messenger tells by a time.";
pub(super) const INSTAGRAM: &str = "Mo writes to the gallery. The reply is too long for Instagram's thousand bytes and \
    arrives in two parts.";
pub(super) const TWITTER: &str = "Nia writes on X, with an ampersand that X escapes; the reply is sent and read.";

pub(super) async fn play(world: &World, account: Account) -> anyhow::Result<()> {
    for id in account.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let name = match account {
        Account::Gallery => "Mo",
        Account::Bird => "Nia",
        Account::Page | Account::Parcels | Account::Billing | Account::Shop | Account::Help | Account::Web => "Lea",
    };
    let customer = world.customer(account, name)?;
    let mut talk = Talk::begin(world, &customer, "Do you have this in blue & green?").await?;
    talk.reads("Do you have this in blue & green?").await?;
    if account == Account::Gallery {
        talk.reply_in_parts(&"We have it in every colour that there is. ".repeat(30), 2).await?;
    }
    let reply = talk.reply("Yes, both < and > that size.").await?;
    talk.sees(&reply, "sent").await?;
    customer.deliver(&customer.receipt(&reply, "echo")?).await?;
    if account == Account::Page {
        talk.receipt(&reply, "delivered").await?;
    }
    talk.receipt(&reply, "read").await?;
    talk.customer_writes("Wonderful, thank you!").await?;
    let heard = talk.agent.seen().heard.clone();
    let of_talk = heard.iter().filter(|heard| heard.conversation_id == talk.conversation_id);
    let heard = of_talk.filter(|heard| heard.text == reply.text).count();
    ensure!(heard == 1, "our own echo stands on the desktop {heard} times");
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}
