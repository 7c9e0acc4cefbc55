//! An agent writes first (T7): the talk is theirs without an offer, and the answer comes to them.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;

use super::reached::{consents, texts};
use crate::company::Account;
use crate::narrator::Actor;
use crate::oracle::Part;
use crate::reports;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Ivy has opted in and never written. An agent of the shop writes to her: nobody is offered it, the \
    talk is theirs. She answers into it, and the report says who began.";

/// From one end to the other.
const ARRIVAL_MAX: Duration = Duration::from_secs(60);
const FIRST: &str = "Your boots are ready, Ivy.";
const ANSWER: &str = "How long are you open?";
const LAST: &str = "Until six.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let account = Account::Shop;
    let agent = world.agent(account.members().first().context("the shop has agents")?);
    agent.presence("on_queue").await?;
    let ivy = world.customer(account, "Ivy")?;
    consents(world, &ivy).await?;
    world.narrator.tell(Actor::Agent, &agent.id, &format!("begins: \u{201c}{FIRST}\u{201d}"));
    let start = json!({"type": "start", "account": account.id(), "customer": ivy.id, "text": FIRST});
    let begun = agent.ask(start).await?;
    ensure!(begun.ok, "{}'s start was refused: {}", agent.id, begun.reason);
    arrived(world, &ivy, &[FIRST]).await?;
    let key = ivy.key.to_string();
    let conversation_id = wait_for("her conversation on the desktop", ARRIVAL_MAX, || async {
        let work = agent.seen().work.clone();
        let hers = work.iter().find(|(_, item)| item["customer_key"] == key.as_str());
        hers.map(|(id, _)| id.clone()).ok_or_else(|| format!("{work:?}"))
    })
    .await?;
    wait_for("the first word in the transcript", ARRIVAL_MAX, || async {
        let texts = agent.opens(&conversation_id).await.map_err(|error| format!("{error:#}"))?;
        if texts == [FIRST] { Ok(()) } else { Err(format!("{texts:?}")) }
    })
    .await?;

    world.narrator.tell(Actor::Customer, &ivy.name, &format!("\u{201c}{ANSWER}\u{201d}"));
    ivy.writes(ANSWER).await?;
    wait_for("her answer on the desktop", ARRIVAL_MAX, || async {
        let seen = agent.seen();
        let is_hers = |heard: &&crate::agents::Heard| heard.text == ANSWER && heard.conversation_id == conversation_id;
        seen.heard.iter().find(is_hers).map(drop).ok_or_else(|| format!("{} other messages", seen.heard.len()))
    })
    .await?;
    agent.reply(&conversation_id, LAST).await?;
    arrived(world, &ivy, &[FIRST, LAST]).await?;
    ensure!(world.new_offer(&ivy).is_none(), "a talk that an agent began is offered to nobody");
    let ended = agent.disconnect(&conversation_id).await?;
    let wrapped = agent.wrap_up(&conversation_id, "resolved").await?;
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
    let part = Part {
        customer_key: key,
        account,
        agent: agent.id.clone(),
        wait_s: None,
        talk_s: seconds(begun.at_ms, ended.at_ms),
        acw_s: seconds(ended.at_ms, wrapped.at_ms),
        messages_in: 1,
        messages_out: 2,
        code: "resolved".into(),
        end_cause: "agent_disconnect".into(),
    };
    world.oracle.part(&part);
    let row = world.reported(&part).await?;
    let initiator = reports::text(&row, "initiator");
    ensure!(initiator == "agent", "expected an interaction that an agent began, found {initiator:?}");
    Ok(())
}

async fn arrived(world: &World, ivy: &crate::customers::Customer, expected: &[&str]) -> anyhow::Result<()> {
    wait_for(&format!("{expected:?} at Ivy's side"), ARRIVAL_MAX, || async {
        let there = texts(world, ivy);
        if there == expected { Ok(()) } else { Err(format!("{there:?}")) }
    })
    .await
}
