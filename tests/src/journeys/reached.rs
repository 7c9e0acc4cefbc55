//! The company writes first: refused without an opt-in, sent with one, answered where it asked to be;
//! after STOP nothing reaches the customer until she writes again.

use std::time::Duration;

use anyhow::ensure;
use serde_json::{Value, json};

use crate::company::Account;
use crate::customers::Customer;
use crate::narrator::Actor;
use crate::reports;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "The shop's program writes to Gina, who never asked for it: refused. She opts in, so the next one \
    arrives. She answers, says STOP, and nothing reaches her until she writes again.";

/// From a request to the row that says what became of it.
const SETTLED_MAX: Duration = Duration::from_secs(60);
const TEXT: &str = "Your order has left the house, Gina.";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    for id in Account::Shop.members() {
        world.agent(id).presence("on_queue").await?;
    }
    let gina = world.customer(Account::Shop, "Gina")?;
    let before = asks(world, &gina, "before the opt-in").await?;
    ends(world, &before, "refused", "no_opt_in").await?;
    consents(world, &gina).await?;
    let after = asks(world, &gina, "after the opt-in").await?;
    ends(world, &after, "sent", "").await?;
    ensure!(texts(world, &gina) == [TEXT], "expected one message at Gina's side, found {:?}", texts(world, &gina));
    let conversation_id = opened_by_us(world, &gina).await?;

    let mut talk = Talk::begin(world, &gina, "Lovely, when will it be here?").await?;
    ensure!(talk.conversation_id == conversation_id, "her answer belongs to the conversation that we began");
    talk.reply("Tomorrow before noon.").await?;
    talk.customer_writes("STOP").await?;
    let unheard = "One more thing, Gina!";
    talk.agent.reply(&talk.conversation_id, unheard).await?;
    talk.agent_wrote();
    let refused = talk.shown(unheard).await?;
    ends(world, &refused, "refused", "opted_out").await?;
    talk.customer_writes("But who brings it?").await?;
    talk.reply("Our own van.").await?;
    ensure!(!texts(world, &gina).iter().any(|text| text == unheard), "what was refused must not arrive later");
    let part = talk.finish("resolved").await?;
    let late = asks(world, &gina, "after her STOP").await?;
    ends(world, &late, "refused", "opted_out").await?;
    world.reported(&part).await.map(drop)
}

/// What reached a customer's side, text by text.
pub(super) fn texts(world: &World, gina: &Customer) -> Vec<String> {
    world.outside.replies_to(gina).into_iter().map(|reply| reply.text).filter(|text| !text.is_empty()).collect()
}

/// The program asks for a message twice with one key; the message's id.
pub(super) async fn asks(world: &World, gina: &Customer, key: &str) -> anyhow::Result<String> {
    world.narrator.tell(Actor::Provider, "the shop's program", &format!("\u{201c}{TEXT}\u{201d} ({key})"));
    let body = json!({
        "fromAddress": gina.provider_account(), "toAddress": gina.id, "toAddressMessengerType": "open",
        "textBody": TEXT, "target": {"kind": "queue", "id": Account::Shop.queue()},
    });
    let path = "/api/v2/conversations/messages/agentless";
    let key = format!("{key} {}", gina.id);
    let (first, second) = (post(world, path, &key, &body).await?, post(world, path, &key, &body).await?);
    ensure!(first["id"] == second["id"], "the same key made two messages: {first} {second}");
    Ok(first["id"].as_str().unwrap_or_default().to_owned())
}

pub(super) async fn consents(world: &World, gina: &Customer) -> anyhow::Result<()> {
    world.narrator.tell(Actor::Customer, &gina.name, "opts in on the shop's page");
    let body = json!({
        "account": Account::Shop.id(), "customer": gina.id, "purpose": "messages", "granted": true,
        "source": "order form", "proof": "order 17",
    });
    post(world, "/api/v1/consents", &gina.id, &body).await.map(drop)
}

async fn post(world: &World, path: &str, key: &str, body: &Value) -> anyhow::Result<Value> {
    let token = world.stack.client_token(&world.company.tenant, "shop-backend")?;
    let request = reqwest::Client::new().post(format!("{}{path}", world.stack.ingest()?)).bearer_auth(token);
    let answer = request.header("idempotency-key", key).body(body.to_string()).send().await?;
    let (status, answer) = (answer.status(), answer.text().await?);
    ensure!(status == 202, "{path} answered {status}: {answer}");
    Ok(serde_json::from_str(&answer)?)
}

/// Follows a message to what became of it, as the reports' facts tell.
pub(super) async fn ends(world: &World, message_id: &str, state: &str, reason: &str) -> anyhow::Result<()> {
    let ask = format!("SELECT state, reason FROM weft_raw.deliveries FINAL WHERE message_id = '{message_id}'");
    wait_for(&format!("message {message_id} to be {state} {reason}"), SETTLED_MAX, || async {
        let rows = world.reports.ask(&ask).await.map_err(|error| format!("{error:#}"))?;
        let is_it = |row: &reports::Row| reports::text(row, "state") == state && reports::text(row, "reason") == reason;
        if rows.iter().any(is_it) { Ok(()) } else { Err(format!("{rows:?}")) }
    })
    .await?;
    world.narrator.tell(Actor::House, "weft", &format!("{state} {reason}"));
    Ok(())
}

/// The conversation that the program's message began, which has no stint.
async fn opened_by_us(world: &World, gina: &Customer) -> anyhow::Result<String> {
    let ask = format!(
        "SELECT toString(conversation_id) AS conversation_id FROM weft_raw.conversation_changes FINAL \
         WHERE customer_key = '{}' AND change = 'opened' AND initiator = 'api' AND isNull(stint_id)",
        gina.key
    );
    wait_for("the conversation that we began", SETTLED_MAX, || async {
        let rows = world.reports.ask(&ask).await.map_err(|error| format!("{error:#}"))?;
        rows.first().map(|row| reports::text(row, "conversation_id").to_owned()).ok_or_else(|| "no row".to_owned())
    })
    .await
}
