//! A bot greets, asks once and hands over; an agent goes on.

use std::time::Duration;

use anyhow::ensure;
use stream::clock;

use crate::company::Account;
use crate::narrator::Actor;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Jil writes to the help number. A bot asks which parcel it is about, then hands her over; \
    Gil sees what was said and goes on.";

const ANSWERED_MAX: Duration = Duration::from_secs(30);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Help.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let jil = world.customer(Account::Help, "Jil")?;
    world.narrator.tell(Actor::Customer, "Jil", "on WhatsApp: \u{201c}Where is it?\u{201d}");
    jil.writes("Where is it?").await?;
    let said = |text: &'static str| {
        let jil = &jil;
        async move {
            let reply = wait_for(&format!("the bot's {text:?} at Jil's side"), ANSWERED_MAX, || async {
                let replies = world.outside.replies_to(jil);
                replies.iter().find(|reply| reply.text == text).cloned().ok_or(format!("{} replies", replies.len()))
            })
            .await?;
            world.oracle.of_no_agent(Account::Help);
            world.narrator.tell(Actor::House, "bot", &format!("\u{201c}{text}\u{201d}"));
            jil.deliver(&jil.receipt(&reply, "sent")?).await
        }
    };
    said("Which parcel is it about?").await?;
    let nobody = world.new_offer(&jil).is_none();
    ensure!(nobody, "Jil was offered to an agent while the bot had her");
    world.narrator.tell(Actor::Customer, "Jil", "on WhatsApp: \u{201c}The red one.\u{201d}");
    jil.writes("The red one.").await?;
    let entered_ms = clock::now().as_ms();
    let mut talk = Talk::taken_up(world, &jil, Some(entered_ms), 1).await?;
    said("I will ask a colleague.").await?;
    talk.reads("The red one.").await?;
    talk.reads("Which parcel is it about?").await?;
    talk.reply("It comes tomorrow.").await?;
    talk.customer_writes("Thank you!").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}
