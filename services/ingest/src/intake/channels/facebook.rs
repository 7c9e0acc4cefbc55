//! Messenger webhooks: bodies whose `object` is `page` (reference: Meta, "Messenger Platform
//! webhooks"; shapes as of v25.0).

use schemas::records::Channel;
use serde_json::Value;

use super::messenger::Dialect;
use crate::intake::json::{self, Unreadable};
use crate::intake::reading::Reading;

/// What pages are told beside messages.
const PAGE: Dialect = Dialect {
    object: "page",
    channel: Channel::Facebook,
    account_fields: &[
        "about",
        "attire",
        "awards",
        "bio",
        "birthday",
        "category",
        "checkins",
        "company_overview",
        "conversations",
        "current_location",
        "description",
        "email",
        "feature_access_list",
        "feed",
        "founded",
        "general_info",
        "group_feed",
        "hours",
        "inbox_labels",
        "leadgen",
        "live_videos",
        "location",
        "mention",
        "message_template_status_update",
        "messaging_customer_information",
        "messenger_template_status_update",
        "mission",
        "name",
        "page_about_story",
        "page_change_proposal",
        "page_upcoming_change",
        "parking",
        "payment_options",
        "phone",
        "picture",
        "price_range",
        "product_review",
        "products",
        "profile",
        "public_transit",
        "publisher_subscriptions",
        "ratings",
        "story_share",
        "user_action",
        "videos",
        "website",
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
    PAGE.read(body)
}
