//! Every webhook is posted twice and out of order: each message counts once, states go forward only.

use std::time::Duration;

use crate::company::Account;
use crate::narrator::Actor;
use crate::reports;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Platforms promise to deliver at least once, in no order. Iris writes three messages, \
    their webhooks come shuffled and twice, and so do the receipts of our reply: read, delivered, sent, read.";

const TRANSCRIPT_MAX: Duration = Duration::from_secs(20);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let iris = world.customer(Account::Billing, "Iris")?;
    let texts = ["I paid twice.", "Once by card,", "once by transfer."];
    let mut webhooks = Vec::new();
    for text in texts {
        webhooks.push(iris.message(text)?.1);
    }
    for no in [1, 0, 2, 1, 2, 0] {
        iris.deliver(&webhooks[no]).await?;
    }
    let written_ms = stream::clock::now().as_ms();
    world.narrator.tell(Actor::Customer, "Iris", "writes three messages; six webhooks come, shuffled");
    let mut talk = Talk::taken_up(world, &iris, Some(written_ms), 3).await?;
    let reply = talk.reply_unconfirmed("The card payment is on its way back.").await?;
    for status in ["read", "delivered", "sent", "read", "delivered", "sent"] {
        iris.deliver(&iris.receipt(&reply, status)?).await?;
    }
    talk.sees(&reply, "read").await?;
    world.narrator.tell(Actor::House, "weft", &format!("{} sees: read, whatever came later", talk.agent.id));
    let conversation_id = talk.conversation_id.clone();
    let part = talk.finish("resolved").await?;
    world.reported(&part).await?;
    let expected = [texts[1], texts[0], texts[2], reply.text.as_str()];
    wait_for("the transcript, the reply read", TRANSCRIPT_MAX, || async {
        let rows = world.reports.transcript(&conversation_id).await.map_err(|error| format!("{error:#}"))?;
        let found: Vec<&str> = rows.iter().map(|row| reports::text(row, "text")).collect();
        let state = rows.last().map_or("", |row| reports::text(row, "delivery_state"));
        if found == expected && state == "read" { Ok(()) } else { Err(format!("{found:?}, the reply {state:?}")) }
    })
    .await
}
