//! Pictures, both ways: a customer's is copied and shown under a signed address, an agent's leaves as a
//! link.

use std::time::Duration;

use anyhow::{Context, ensure};

use crate::company::Account;
use crate::narrator::Actor;
use crate::talk::Talk;
use crate::wait::wait_for;
use crate::world::World;

pub(super) const STORY: &str = "Ivo sends a picture of his parcel. weft fetches it from WhatsApp into its own store, and \
    the agent looks at it under a signed address, which nobody can change. The answer is a picture too.";

const COPIED_MAX: Duration = Duration::from_secs(30);
/// The smallest PNG: one pixel.
const PICTURE: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89\
    \0\0\0\nIDATx\x9cc\0\x01\0\0\x05\0\x01\r\n-\xb4\0\0\0\0IEND\xaeB`\x82";
const LABEL: &str = "https://parcels.example/label.png";

pub(super) async fn play(world: &World) -> anyhow::Result<()> {
    let ivo = world.customer(Account::Parcels, "Ivo")?;
    let mut talk = Talk::begin(world, &ivo, "My parcel is damaged.").await?;
    let (id, sha256) = world.outside.keep("image/png", PICTURE);
    let caption = "See the corner?";
    world.narrator.tell(Actor::Customer, "Ivo", "on WhatsApp: a picture, \u{201c}See the corner?\u{201d}");
    ivo.deliver(&ivo.picture((&id, &sha256), caption)?).await?;
    talk.customer_wrote();
    let message_id = talk.shown(caption).await?;
    looks(world, &talk, &message_id).await?;

    let answer = "Print this label, please.";
    talk.agent.shows_picture(&talk.conversation_id, answer, LABEL).await?;
    talk.agent_wrote();
    let reply = talk.arrived(answer).await?;
    let requests = world.outside.requests();
    let sent = requests.iter().find(|seen| seen.id.as_ref() == Some(&reply.provider_id));
    let image = &sent.context("what arrived was asked for")?.body["image"];
    ensure!(image["link"] == LABEL && image["caption"] == answer, "expected a picture, WhatsApp was sent {image}");
    world.narrator.tell(Actor::Provider, "WhatsApp", "shows a picture to Ivo");
    talk.receipt(&reply, "sent").await?;
    let part = talk.finish("follow-up").await?;
    world.reported(&part).await.map(drop)
}

/// The agent opens the copy; an address that was changed opens nothing.
async fn looks(world: &World, talk: &Talk<'_>, message_id: &str) -> anyhow::Result<()> {
    let what = format!("a copy of the picture on {}'s desktop", talk.agent.id);
    let stored = wait_for(&what, COPIED_MAX, || async {
        let copies = talk.agent.seen().copies.clone();
        copies.iter().find(|(id, _)| id == message_id).map(|(_, stored)| stored.clone()).ok_or(format!("{copies:?}"))
    })
    .await?;
    let url = talk.agent.address_of(&talk.conversation_id, &stored).await?;
    let answer = reqwest::get(&url).await?.error_for_status()?;
    let mime = answer.headers().get("content-type").cloned();
    ensure!(mime.is_some_and(|mime| mime == "image/png"), "expected a PNG at {url}");
    ensure!(answer.bytes().await? == PICTURE, "the copy is another picture");
    let changed = format!("{url}0");
    let refused = reqwest::get(&changed).await?.status().as_u16();
    ensure!(refused == 403, "expected 403 at a changed address, got {refused}");
    world.narrator.tell(Actor::Agent, &talk.agent.id, "looks at the copy of it, under a signed address");
    Ok(())
}
