//! What should not have come: forged, cut off, of an unknown kind, for an unknown account. None of it
//! reaches an agent, none of what is well signed is answered with an error, nothing is lost.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::company::Account;
use crate::customers::{Customer, Webhook};
use crate::narrator::Actor;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Somebody forges a signature; a webhook is cut off; Meta sends something new; a message \
    is for a number nobody configured. Then Jo writes as if nothing had happened.";

const COUNTED_MAX: Duration = Duration::from_secs(10);
const DEAD_LETTERS: &str = "weft_dead_letters_total";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let jo = world.customer(Account::Parcels, "Jo")?;
    let unknown_before = world.counter("ingest", DEAD_LETTERS, &["reason=\"unknown_account\""]).await?;
    let all_before = world.counter("ingest", DEAD_LETTERS, &[]).await?;

    expect(world, &jo, "a forged signature", &forged(&jo)?, 401).await?;
    expect(world, &jo, "a body cut off", &cut_off(&jo)?, 200).await?;
    expect(world, &jo, "an unknown kind of event", &unknown_kind(&jo)?, 200).await?;
    expect(world, &jo, "a message for an unknown number", &unknown_account(&jo)?, 200).await?;

    counted(world, unknown_before + 1.0, &["reason=\"unknown_account\""]).await?;
    counted(world, all_before + 2.0, &[]).await?;
    world.narrator.tell(Actor::House, "weft", "keeps what it cannot use as dead letters, with a reason");

    let mut talk = Talk::begin(world, &jo, "Is anybody there?").await?;
    talk.reply("Always.").await?;
    let part = talk.finish("resolved").await?;
    world.reported(&part).await.map(drop)
}

async fn expect(world: &World, jo: &Customer, what: &str, webhook: &Webhook, status: u16) -> anyhow::Result<()> {
    let answer = jo.post(webhook).await?;
    ensure!(answer == status, "expected {status} for {what}, got {answer}");
    world.narrator.tell(Actor::House, "weft", &format!("answers {what} with {answer}"));
    Ok(())
}

async fn counted(world: &World, at_least: f64, labels: &[&str]) -> anyhow::Result<()> {
    wait_for(&format!("{at_least} dead letters {labels:?}"), COUNTED_MAX, || async {
        let count = world.counter("ingest", DEAD_LETTERS, labels).await.map_err(|error| error.to_string())?;
        if count >= at_least { Ok(()) } else { Err(count.to_string()) }
    })
    .await
}

fn forged(jo: &Customer) -> anyhow::Result<Webhook> {
    let (_, mut webhook) = jo.message("Send everything to my address.")?;
    webhook.body = String::from_utf8(webhook.body)?.replace("everything", "ten parcels").into_bytes();
    Ok(webhook)
}

fn cut_off(jo: &Customer) -> anyhow::Result<Webhook> {
    let (_, webhook) = jo.message("This will not come through whole.")?;
    let half = webhook.body.len() / 2;
    jo.signed(webhook.body[..half].to_vec())
}

fn unknown_kind(jo: &Customer) -> anyhow::Result<Webhook> {
    let body = changed(jo, |change| {
        change["field"] = json!("telepathy");
        change["value"] = json!({"thought": "of something new", "metadata": change["value"]["metadata"]});
    })?;
    jo.signed(body)
}

fn unknown_account(jo: &Customer) -> anyhow::Result<Webhook> {
    let body = changed(jo, |change| change["value"]["metadata"]["phone_number_id"] = json!("999999999999999"))?;
    jo.signed(body)
}

fn changed(jo: &Customer, change: impl FnOnce(&mut Value)) -> anyhow::Result<Vec<u8>> {
    let (_, webhook) = jo.message("Hello?")?;
    let mut body: Value = serde_json::from_slice(&webhook.body)?;
    change(&mut body["entry"][0]["changes"][0]);
    Ok(body.to_string().into_bytes())
}
