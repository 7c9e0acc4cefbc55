//! What the gateway keeps of web guests (`guest.views`).

use serde::{Deserialize, Serialize};

use super::{Millis, record, shaped_record};
use crate::ids::{AccountId, CustomerKey, DeploymentId, EventId, TenantId};

shaped_record! {
    GuestView, GuestViewKind, "guest_view.avsc" {
        event_id: EventId,
        tenant: TenantId,
        occurred_at: Millis,
        recorded_at: Millis,
        id: String,
    }
    Session = session: Box<GuestSession>,
    Guest = guest: Guest,
    Activity = activity: GuestActivity,
}

/// What the bearer of a session's secret may do.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GuestSession {
    pub deployment_id: DeploymentId,
    pub account_id: AccountId,
    pub origin: Option<String>,
    pub customer_key: CustomerKey,
    pub customer_id: String,
    pub id_type: String,
    pub subject: Option<String>,
    pub display_name: Option<String>,
    pub began_at: Millis,
}

/// What is true of all sessions of one guest.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Guest {
    pub account_id: AccountId,
    pub cleared_at: Option<Millis>,
    pub revoked_at: Option<Millis>,
}

/// When a guest's conversation was last alive: a record of its own, because any gateway may write it.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct GuestActivity {
    pub account_id: AccountId,
    pub spoke_at: Millis,
}
