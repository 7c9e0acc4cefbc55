//! What operators do by command: an opt-in of a file lets a message out, and a webhook's past leaves once
//! more, known to its receiver.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::Value;
use stream::{Timestamp, clock};

use super::reached::{asks, ends, texts};
use crate::company::Account;
use crate::customers::Customer;
use crate::narrator::Actor;
use crate::providers::Seen;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Lou's opt-in is on paper. Once the list is imported, the shop's program may write; and \
    when the shop lost its data, what it was told leaves once more, under the ids it had.";

const AGAIN_MAX: Duration = Duration::from_secs(60);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Shop.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let lou = world.customer(Account::Shop, "Lou")?;
    let before = asks(world, &lou, "before the import").await?;
    ends(world, &before, "refused", "no_opt_in").await?;
    imports(world, &lou).await?;
    let from = clock::now();
    let after = asks(world, &lou, "after the import").await?;
    ends(world, &after, "sent", "").await?;
    let mut talk = Talk::begin(world, &lou, "Is it really coming?").await?;
    let reply = talk.reply("On Monday.").await?;
    talk.sees(&reply, "sent").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await?;
    replays(world, &lou, from).await
}

/// A list with a mistake changes nothing; a good one counts once, however often it is imported.
async fn imports(world: &World, lou: &Customer) -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let file = directory.path().join("optins.csv");
    let path = file.to_str().context("a temporary directory has a plain name")?;
    let account = Account::Shop.id();
    let line = format!("{account},{},messages,yes,2026-01-01T00:00:00Z\n", lou.id);
    let header = "account,customer,purpose,granted,occurred_at\n";
    let command =
        ["consent", "import", path, "--tenant", &world.company.tenant, "--source", "paper form", "--output", "json"];
    std::fs::write(&file, format!("{header}{line}nowhere,ada,messages,yes,\n"))?;
    let refused = world.stack.weft(&command[..7]).await;
    let said = refused.err().map(|error| error.to_string()).unwrap_or_default();
    ensure!(said.contains("nowhere") && said.contains("nothing was written"), "expected a refusal, got {said:?}");
    std::fs::write(&file, format!("{header}{line}{line}"))?;
    for _ in 0..2 {
        let done: Value = serde_json::from_str(&world.stack.weft(&command).await?)?;
        ensure!(done["consents"] == 2, "expected two lines to be taken, got {done}");
    }
    world.narrator.tell(Actor::House, "weft consent import", "Lou's opt-in is on record");
    Ok(())
}

/// Everything since `from` reaches the shop once more, as repeats of what it knows.
async fn replays(world: &World, lou: &Customer, from: Timestamp) -> anyhow::Result<()> {
    let (from, to, key) = (from.to_string(), clock::now().plus_ms(1_000).to_string(), lou.key.to_string());
    let mut command = vec!["replay", "--tenant", &world.company.tenant, "--account", Account::Shop.id()];
    command.extend(["--from", &from, "--to", &to, "--customer", &key, "--output", "json"]);
    let told = |again: bool| {
        let of_lou =
            move |seen: &Seen| seen.to.as_deref() == Some(lou.id.as_str()) && seen.taken && seen.repeat == again;
        let mut ids: Vec<String> =
            world.outside.requests().into_iter().filter(of_lou).filter_map(|seen| seen.id).collect();
        ids.sort_unstable();
        ids
    };
    let first = told(false);
    ensure!(first.len() == 2, "expected two messages at the shop, found {first:?}");
    let dry: Value = serde_json::from_str(&world.stack.weft(&[&command[..], &["--dry-run"]].concat()).await?)?;
    let done: Value = serde_json::from_str(&world.stack.weft(&command).await?)?;
    ensure!(dry["kinds"] == done["kinds"], "a dry run found {dry}, the real one {done}");
    ensure!(done["kinds"]["message_added"] == 2, "expected two messages to leave again, got {done}");
    wait_for("both messages at the shop once more", AGAIN_MAX, || async {
        let again = told(true);
        if again == first { Ok(()) } else { Err(format!("{again:?} of {first:?}")) }
    })
    .await?;
    ensure!(told(false) == first, "the shop was told something new");
    ensure!(texts(world, lou).len() == 2, "Lou was shown something twice");
    world.narrator.tell(Actor::House, "weft replay", "the shop hears what it had heard, under the same ids");
    Ok(())
}
