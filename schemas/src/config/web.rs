//! Where our own messenger may be shown, and who may sign in to it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SecretRef;

/// A web site or an app from which guests write; a messenger names its document's id when it connects.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// What people call it.
    pub name: String,
    /// The `web` channel account that its conversations belong to.
    pub account: String,
    /// Web origins that may connect, each compared as a whole: `https://shop.example`.
    #[serde(default)]
    pub allowed_origins: Vec<String>,
    /// Whether programs that send no origin may connect: native apps do so, browsers never.
    #[serde(default)]
    pub native_apps: bool,
    /// What the messenger shows and allows.
    #[serde(default)]
    pub messenger: Messenger,
    /// Who vouches for guests that sign in; null: nobody signs in.
    #[serde(default)]
    pub sign_in: Option<SignIn>,
}

/// What a messenger shows and allows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Messenger {
    /// Whether guests see that somebody is writing to them.
    pub shows_typing: bool,
    /// Whether guests are told that the other side ended the conversation.
    pub shows_end: bool,
    /// Whether guests may end a conversation and clear it from all their devices.
    pub may_clear: bool,
    /// Files that guests may send; null: none.
    pub uploads: Option<Uploads>,
    /// Passed on to the messenger as they are: colours, texts, positions.
    pub styles: BTreeMap<String, String>,
}

impl Default for Messenger {
    fn default() -> Self {
        Self { shows_typing: true, shows_end: false, may_clear: false, uploads: None, styles: BTreeMap::new() }
    }
}

/// Files that guests may send.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Uploads {
    /// Media types, `image/png`, or all of a kind, `image/*`.
    pub types: Vec<String>,
    /// Bytes of one file.
    pub bytes_max: i64,
}

impl Default for Uploads {
    fn default() -> Self {
        let types = ["image/png", "image/jpeg", "image/gif", "image/webp", "application/pdf", "text/plain"];
        Self { types: types.map(str::to_owned).into(), bytes_max: 10 << 20 }
    }
}

/// How the company's own sign-in vouches for a guest: by a JSON Web Token (RFC 7519).
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// What the token's `iss` must be.
    pub issuer: String,
    /// What its `aud` must name.
    pub audience: String,
    /// Keys that may have signed; each signs by its own algorithm and no other.
    pub keys: Vec<SignInKey>,
    /// Whether a guest who has begun unknown may sign in within the same session.
    #[serde(default)]
    pub step_up: bool,
}

/// One key, as in RFC 7517 and RFC 7518: numbers and points in base64url.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SignInKey {
    /// What the token's `kid` must be; null: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kid: Option<String>,
    /// The one algorithm of this key.
    pub algorithm: SignInAlgorithm,
    /// RS256: the modulus.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub n: Option<String>,
    /// RS256: the exponent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub e: Option<String>,
    /// ES256 and EdDSA: the first coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub x: Option<String>,
    /// ES256: the second coordinate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
    /// HS256: the shared secret, at least 32 bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<SecretRef>,
}

/// How a token is signed (RFC 7518).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
pub enum SignInAlgorithm {
    /// RSA with SHA-256.
    #[default]
    RS256,
    /// P-256 with SHA-256.
    ES256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
    /// HMAC with SHA-256: whoever checks could also sign.
    HS256,
}
