//! What sending on our own initiative rests on: consent, templates, entry points.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Words that, sent alone, take consent back or give it again (C7); case and the marks around them
/// do not matter.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ConsentWords {
    /// In place of STOP, STOPALL, UNSUBSCRIBE, OPTOUT, OPT OUT, OPT-OUT, REVOKE, END, QUIT, CANCEL.
    pub stop: Option<Vec<String>>,
    /// In place of START, UNSTOP.
    pub start: Option<Vec<String>>,
}

/// A message prepared for sending on our own initiative; its document's id is how programs name it.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Template {
    /// What people call it.
    pub name: String,
    /// What it is sent for; consent is asked for this. A sender may name another.
    #[serde(default)]
    pub purpose: Option<String>,
    /// The text with its holes, `{{1}}` first: what channels without templates show.
    pub text: String,
    /// The approved template of the platform; null: sent as text everywhere.
    #[serde(default)]
    pub approved: Option<ApprovedTemplate>,
}

/// A template that the platform approved.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ApprovedTemplate {
    /// Its name at the platform.
    pub name: String,
    /// Its language as the platform writes it: `en_US`.
    pub language: String,
}

/// A way customers come in by (C12): a link, a number, a printed code.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct EntryPoint {
    /// What people call it.
    pub name: String,
    /// The channel account it leads to.
    pub account: String,
    /// What the platform gives back of it: `ref` of an `m.me` link, id of an advertisement, `ref` of a page.
    #[serde(default)]
    pub reference: Option<String>,
    /// What the customer's first message begins with: the prefilled text of a `wa.me` link or code.
    #[serde(default)]
    pub text: Option<String>,
}
