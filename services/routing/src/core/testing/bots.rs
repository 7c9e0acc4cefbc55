//! Bots on the bench.

use schemas::config::EntityKind;
use schemas::records::{ConversationCommandKind, DeliveryRequestKind, RoutingCommandKind, RoutingTurnResult};

use super::Bench;

impl Bench {
    pub fn configure_bot(&mut self, id: &str, spec: &str) -> &mut Self {
        let mut spec: serde_json::Value = serde_json::from_str(spec).unwrap();
        spec["name"] = id.into();
        spec["url"] = "https://bot.example".into();
        spec["secrets"] = serde_json::json!([]);
        self.configure(EntityKind::Bot, id, &spec)
    }

    pub fn account_with_bot(&mut self, id: &str, queue: &str, bot: &str) -> &mut Self {
        let spec = serde_json::json!({"channel": "open", "name": id, "queue": queue, "bot": bot});
        self.configure(EntityKind::ChannelAccount, id, &spec)
    }

    /// The end of the latest bot turn.
    pub fn turn_finished(&mut self, name: &str, outcome: &str, body: Option<String>) -> &mut Self {
        let asked = self.requests.last().map(|request| match &request.kind {
            DeliveryRequestKind::BotTurn(call) => call.turn_id.clone(),
            other => panic!("{other:?}"),
        });
        let result = RoutingTurnResult { turn_id: asked.unwrap(), outcome: outcome.into(), body };
        let now = self.now();
        self.command(Some(name), RoutingCommandKind::BotTurnFinished(result), now)
    }

    /// Bot turns asked for.
    pub fn turns_asked(&self) -> usize {
        self.requests.len()
    }

    /// What bots said, with the epoch.
    pub fn bot_said(&self) -> Vec<(i64, String)> {
        let sends = self.told.iter().filter_map(|kind| match kind {
            ConversationCommandKind::Send(send) => Some((send.owner_epoch?, send.content.text.clone()?)),
            _ => None,
        });
        sends.collect()
    }
}
