//! A guest on the company's page is answered, loses the connection, and misses nothing.

use std::time::Duration;

use anyhow::{Context, ensure};
use serde_json::json;
use stream::clock;

use crate::agents::Agent;
use crate::company::Account;
use crate::guests::Guest;
use crate::narrator::Actor;
use crate::oracle::{OfferEnd, Part};
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Somebody writes on the company's page. Hana answers, and what she says while the guest's \
    train is in a tunnel is there when the guest is back.";

const ORIGIN: &str = "https://parcels.example";
const SHOWN_MAX: Duration = Duration::from_secs(30);

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let [id] = Account::Web.members() else { anyhow::bail!("the page has one agent") };
    let hana = world.agent(id);
    hana.presence("on_queue").await?;
    let before = hana.seen().offers.len();
    let mut guest = Guest::new(&world.stack, &world.company.tenant, ORIGIN)?;
    guest.comes().await?;
    world.narrator.tell(Actor::Customer, "guest", "on the page: \u{201c}Do you deliver on Saturdays?\u{201d}");
    guest.writes("Do you deliver on Saturdays?").await?;
    let entered_ms = clock::now().as_ms();
    guest.hears("Do you deliver on Saturdays?").await?;
    let offer = wait_for("an offer of the guest's conversation", SHOWN_MAX, || async {
        let offers = hana.seen().offers.clone();
        offers.get(before).cloned().ok_or(format!("{} offers", offers.len()))
    })
    .await?;
    let conversation = offer.conversation_id.as_str();
    let accepted = hana.accept(conversation).await?;
    world.oracle.offer(&hana.id, Account::Web, OfferEnd::Accepted);
    world.narrator.tell(Actor::Agent, &hana.id, "accepts");

    hana.reply(conversation, "We do, until noon.").await?;
    let shown = guest.hears("We do, until noon.").await?;
    reads(hana, &mut guest, shown["id"].as_str().context("a message has an id")?).await?;
    world.narrator.tell(Actor::House, "weft", &format!("{} sees: read", hana.id));
    guest.vanishes();
    world.narrator.tell(Actor::Customer, "guest", "is in a tunnel");
    hana.reply(conversation, "Shall I book it?").await?;
    let session = guest.comes().await?;
    ensure!(session["missed"] == 1 && session["missedIsComplete"] == true, "expected one missed message: {session}");
    guest.hears("Shall I book it?").await?;
    world.narrator.tell(Actor::House, "weft", "shows the guest what was missed");

    let ended = hana.disconnect(conversation).await?;
    let wrapped = hana.wrap_up(conversation, "resolved").await?;
    let seconds = |from: i64, to: i64| (to - from) as f64 / 1000.0;
    let part = Part {
        customer_key: offer.customer_key,
        account: Account::Web,
        agent: hana.id.clone(),
        wait_s: Some(seconds(entered_ms, accepted.at_ms)),
        talk_s: seconds(accepted.at_ms, ended.at_ms),
        acw_s: seconds(ended.at_ms, wrapped.at_ms),
        messages_in: 1,
        messages_out: 2,
        code: "resolved".into(),
        end_cause: "agent_disconnect".into(),
    };
    world.oracle.part(&part);
    world.reported(&part).await.map(drop)
}

async fn reads(hana: &Agent, guest: &mut Guest, message_id: &str) -> anyhow::Result<()> {
    let read = json!({"type": "Receipt", "messageId": message_id, "status": "Read"});
    guest.asks(json!({"action": "onMessage", "message": read})).await?;
    wait_for("Hana to be shown that it was read", SHOWN_MAX, || async {
        let states = hana.seen().states_of(message_id);
        if states.iter().any(|state| state == "read") { Ok(()) } else { Err(format!("{states:?}")) }
    })
    .await
}
