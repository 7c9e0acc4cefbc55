//! Bots that answer later: `POST /webhooks/bots/{endpoint}/turns/{turn_id}`, signed as Standard Webhooks
//! 1.0.0 says. The turn's id carries a MAC of ours, so that nobody can answer for a turn that was never
//! asked (D7).

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use schemas::config::Platform;
use schemas::ids::{EndpointId, EventId, OutwardId, TenantId};
use schemas::records::{BotAnswer, InboundBotTurnResult, InboundEvent, InboundKind, Millis};
use sha2::{Digest, Sha256};
use stream::clock::{self, Stamp};

use super::problem::Problem;
use super::{Edge, body, kept, signed, text, trace};
use crate::acceptance::{Fault, Request};
use crate::core::{Addressed, Arrival};
use crate::intake::signature::{StandardHeaders, is_standard};
use crate::metrics::Outcome;

/// The label of these requests.
const BOTS: &str = "bots";

/// 200 once the answer is durable, whatever a signed body holds; an unknown endpoint, a bad signature and
/// a turn that is none of ours are refused alike.
pub(super) async fn turn(
    State(edge): State<Edge>,
    Path((endpoint, turn)): Path<(String, String)>,
    headers: HeaderMap,
    body: Body,
) -> Response {
    let metrics = &edge.acceptance.metrics;
    let refuse = |outcome, problem: Problem| {
        metrics.request(BOTS, outcome);
        problem.into_response()
    };
    let Ok(_place) = edge.places.try_acquire() else {
        return refuse(Outcome::Unavailable, Problem::unavailable("too many requests under way"));
    };
    let received_at = clock::now().as_ms();
    let known = edge.acceptance.knowledge.now().endpoints(&endpoint, Platform::Bot);
    let (rate, bucket) = (edge.limits.endpoint_requests_per_s_max, format!("{BOTS}/{endpoint}"));
    if !edge.rates.has_room(&bucket, rate, Stamp::now()) {
        return refuse(Outcome::Limits, Problem::too_many());
    }
    let body = match body::read(body, edge.limits).await {
        Ok(body) => body,
        Err(problem) => return refuse(Outcome::Limits, problem),
    };
    let of = |name| text(&headers, name);
    let given = StandardHeaders::of(of("webhook-id"), of("webhook-timestamp"), of("webhook-signature"));
    let fits = |secrets: &[secrecy::SecretString]| is_standard(given, &body, secrets, received_at.div_euclid(1_000));
    let outward = OutwardId::parse(&turn, &edge.acceptance.secret);
    let (Some(tenant), Some(outward)) = (signed::signer(&edge, &endpoint, &known, &fits), outward) else {
        return refuse(Outcome::Unauthorized, Problem::unauthorized());
    };
    edge.rates.take(&bucket, rate, Stamp::now());
    let answer = BotAnswer::read(&body);
    let faults = answer.as_ref().err().map(|_| Fault {
        reason: "unreadable_body",
        detail: "expected a bot's answer, found something else".to_owned(),
    });
    let event = event(&tenant, &outward, &body, answer.ok(), received_at);
    let endpoint = EndpointId::new(endpoint);
    let request = Request {
        arrival: Arrival { tenant, endpoint: Some(endpoint.clone()), received_at },
        source: endpoint,
        method: "POST".into(),
        query: String::new(),
        headers: kept(&headers),
        body,
        trace: trace(&headers),
    };
    let addressed = vec![Ok(Addressed { key: outward.customer_key, event })];
    let batch = edge.acceptance.gather(request, addressed, faults.into_iter().collect());
    let outcome = if batch.faults.is_empty() { Outcome::Accepted } else { Outcome::DeadLettered };
    if let Err(error) = edge.acceptance.publish(batch).await {
        tracing::warn!(%error, "a bot's answer is not durable");
        return refuse(Outcome::Unavailable, Problem::not_durable(&error));
    }
    metrics.request(BOTS, outcome);
    StatusCode::OK.into_response()
}

fn event(
    tenant: &TenantId,
    outward: &OutwardId,
    body: &[u8],
    answer: Option<BotAnswer>,
    received_at: Millis,
) -> InboundEvent {
    let digest: String = Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect();
    let turn_id = outward.id.to_string();
    InboundEvent {
        event_id: EventId::derive(&[tenant.as_str(), "bot_turn_result", &turn_id, &digest]),
        tenant: tenant.clone(),
        occurred_at: received_at,
        recorded_at: received_at,
        channel: None,
        account_id: None,
        customer_key: None,
        customer: None,
        provider_event_id: turn_id.clone(),
        received_at,
        window_ends_at: None,
        kind: InboundKind::BotTurnResult(InboundBotTurnResult {
            turn_id,
            outcome: if answer.is_some() { "answered" } else { "unreadable" }.to_owned(),
            body: answer.map(|answer| answer.to_json()),
        }),
    }
}
