//! A customer who was served comes back after the window: a new conversation that knows the former.

use std::time::Duration;

use anyhow::ensure;

use crate::company::Account;
use crate::narrator::Actor;
use crate::reports;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "The billing number has a window of 0 minutes. Carl is served, and when he writes again \
    a new conversation begins, which knows its predecessor.";

const REPORT_MAX: Duration = Duration::from_secs(20);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let carl = world.customer(Account::Billing, "Carl")?;
    let mut first = Talk::begin(world, &carl, "My invoice shows a parcel I never sent.").await?;
    let former = first.conversation_id.clone();
    first.reply("That was our mistake, it is credited.").await?;
    let part = first.finish("resolved").await?;
    world.reported(&part).await?;
    let mut second = Talk::begin(world, &carl, "And where do I see that?").await?;
    let latter = second.conversation_id.clone();
    ensure!(latter != former, "expected a new conversation, {former} was opened again");
    world.narrator.tell(Actor::House, "weft", "a new conversation, which knows its predecessor");
    second.reply("On the next invoice.").await?;
    let part = second.finish("resolved").await?;
    world.reported(&part).await?;
    wait_for("two conversations, the second with its predecessor", REPORT_MAX, || async {
        let rows = world.reports.conversations_of(&carl.key.to_string()).await.map_err(|error| format!("{error:#}"))?;
        let predecessors: Vec<&str> = rows.iter().map(|row| reports::text(row, "predecessor")).collect();
        if predecessors == ["", former.as_str()] { Ok(()) } else { Err(format!("predecessors {predecessors:?}")) }
    })
    .await
}
