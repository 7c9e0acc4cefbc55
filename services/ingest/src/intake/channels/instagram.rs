//! Instagram messaging webhooks: bodies whose `object` is `instagram` (reference: Meta,
//! "Instagram Platform webhooks" and "Messenger API for Instagram"; shapes as of v25.0).

use schemas::records::Channel;
use serde_json::Value;

use super::messenger::Dialect;
use crate::intake::json::{self, Unreadable};
use crate::intake::reading::Reading;

/// What professional accounts are told beside messages.
const PROFESSIONAL_ACCOUNT: Dialect = Dialect {
    object: "instagram",
    channel: Channel::Instagram,
    account_fields: &[
        "business_integrity",
        "comment_poll_response",
        "comments",
        "creator_marketplace_invited_creator_onboarding",
        "creator_marketplace_projects",
        "delta",
        "live_comments",
        "mentions",
        "onboarding_welcome_message_series",
        "share_to_story",
        "story_insights",
        "story_poll_response",
        "story_reactions",
        "story_share",
    ],
};

/// Every event of a body, in its order; none if the body is for another product.
///
/// # Errors
/// [`Unreadable`] if the body is no JSON object.
pub fn read(body: &[u8]) -> Result<Vec<Reading>, Unreadable> {
    Ok(read_value(&json::object(body)?))
}

/// [`read`] of a body that is JSON already.
pub fn read_value(body: &Value) -> Vec<Reading> {
    PROFESSIONAL_ACCOUNT.read(body)
}
