//! Bearer tokens: what a person or a program may do, signed, so that nobody has to be asked.
//!
//! A token is `weft_<base64url of JSON claims>.<base64url of HMAC-SHA256 over what stands before the
//! dot>`. The first secret signs; all are accepted, so that secrets can rotate.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

const PREFIX: &str = "weft_";
/// Longer texts are refused unread.
const TOKEN_BYTES_MAX: usize = 4096;
/// Shorter secrets could be guessed.
const SECRET_BYTES_MIN: usize = 16;

/// What a token says about its bearer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claims {
    /// The company; a bearer sees nothing of another.
    pub tenant: String,
    /// Who bears the token.
    pub subject: Subject,
    /// What a client may do, e.g. `open:inbound`; empty for agents.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// Whether an agent may see everybody's work.
    #[serde(default)]
    pub supervisor: bool,
    /// Milliseconds since 1970 after which the token is refused; none: never.
    #[serde(default)]
    pub expires_at_ms: Option<i64>,
    /// The token's own id, for logs.
    #[serde(default)]
    pub id: String,
}

/// Who bears a token.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A person, by agent id.
    Agent(String),
    /// A program, by client id.
    Client(String),
}

impl Claims {
    /// Whether the bearer was given this scope.
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|given| given == scope)
    }

    /// The agent's id, if the bearer is a person.
    pub fn agent(&self) -> Option<&str> {
        match &self.subject {
            Subject::Agent(id) => Some(id),
            Subject::Client(_) => None,
        }
    }

    /// The client's id, if the bearer is a program.
    pub fn client(&self) -> Option<&str> {
        match &self.subject {
            Subject::Client(id) => Some(id),
            Subject::Agent(_) => None,
        }
    }
}

/// Why a token is not accepted. Callers answer all alike; the difference is for logs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Not a token at all, or too long.
    #[error("not a token")]
    Malformed,
    /// Signed by nobody we know, or changed.
    #[error("signature does not fit")]
    Signature,
    /// Signed by us, but its claims cannot be read.
    #[error("claims cannot be read")]
    Claims,
    /// Its time is over.
    #[error("expired")]
    Expired,
}

/// Secrets that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SecretsError {
    /// There is none.
    #[error("expected at least one token secret, found none")]
    None,
    /// One is too short; which one, counted from 1.
    #[error("token secret {0} is shorter than 16 bytes")]
    Short(usize),
}

/// The secrets that sign tokens.
#[derive(Clone)]
pub struct TokenSecrets {
    first: Hmac<Sha256>,
    all: Vec<Hmac<Sha256>>,
}

impl std::fmt::Debug for TokenSecrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "TokenSecrets({})", self.all.len())
    }
}

impl TokenSecrets {
    /// Reads secrets separated by commas; the first is the one that signs.
    pub fn parse(text: &str) -> Result<Self, SecretsError> {
        let secrets: Vec<&str> = text.split(',').map(str::trim).filter(|one| !one.is_empty()).collect();
        if let Some(short) = secrets.iter().position(|one| one.len() < SECRET_BYTES_MIN) {
            return Err(SecretsError::Short(short + 1));
        }
        let all: Vec<Hmac<Sha256>> = secrets
            .iter()
            .map(|one| Hmac::new_from_slice(one.as_bytes()).expect("HMAC takes keys of any length"))
            .collect();
        let first = all.first().cloned().ok_or(SecretsError::None)?;
        Ok(Self { first, all })
    }

    /// A token for these claims.
    pub fn mint(&self, claims: &Claims) -> String {
        let json = serde_json::to_vec(claims).expect("claims are plain text and numbers");
        let signed = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(json));
        let mac = self.first.clone().chain_update(signed.as_bytes()).finalize().into_bytes();
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac))
    }

    /// 32 bytes made from each secret for this purpose alone, the one to sign with first: keys of other
    /// kinds rotate with the secrets.
    pub fn derived(&self, purpose: &str) -> Vec<[u8; 32]> {
        let derive = |secret: &Hmac<Sha256>| secret.clone().chain_update(purpose.as_bytes()).finalize().into_bytes();
        self.all.iter().map(|secret| derive(secret).into()).collect()
    }

    /// The claims of a token that one of the secrets signed and that has not expired at `now_ms`.
    /// Signatures are compared in constant time, and before anything in the token is believed.
    pub fn verify(&self, token: &str, now_ms: i64) -> Result<Claims, Refused> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(Refused::Malformed);
        }
        let (signed, mac) = token.rsplit_once('.').ok_or(Refused::Malformed)?;
        let claims = signed.strip_prefix(PREFIX).ok_or(Refused::Malformed)?;
        let mac = URL_SAFE_NO_PAD.decode(mac).map_err(|_| Refused::Malformed)?;
        if !self.is_signed(signed, &mac) {
            return Err(Refused::Signature);
        }
        let json = URL_SAFE_NO_PAD.decode(claims).map_err(|_| Refused::Claims)?;
        let claims: Claims = serde_json::from_slice(&json).map_err(|_| Refused::Claims)?;
        if claims.expires_at_ms.is_some_and(|end| end <= now_ms) {
            return Err(Refused::Expired);
        }
        Ok(claims)
    }

    /// A seal over a text that is no token: one that does not begin with `weft_`.
    pub fn seal(&self, text: &str) -> String {
        URL_SAFE_NO_PAD.encode(self.first.clone().chain_update(text.as_bytes()).finalize().into_bytes())
    }

    /// Whether one of the secrets sealed this text; compared in constant time.
    pub fn is_sealed(&self, text: &str, seal: &str) -> bool {
        !text.starts_with(PREFIX) && URL_SAFE_NO_PAD.decode(seal).is_ok_and(|mac| self.is_signed(text, &mac))
    }

    fn is_signed(&self, text: &str, mac: &[u8]) -> bool {
        self.all
            .iter()
            .fold(false, |found, secret| secret.clone().chain_update(text.as_bytes()).verify_slice(mac).is_ok() | found)
    }
}

/// What is kept of a token to know it again: SHA-256, in lower-case hex. Tokens carry 256 bits that
/// nobody can guess, so that a slow hash would protect nothing.
pub fn token_hash(token: &str) -> String {
    Sha256::digest(token.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The token of an `Authorization` header.
pub fn bearer(header: &str) -> Option<&str> {
    let (scheme, token) = header.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &str = "an old secret of ours";
    const NEW: &str = "the new secret of ours";

    fn claims() -> Claims {
        Claims {
            tenant: "acme".into(),
            subject: Subject::Agent("ana".into()),
            scopes: vec!["a".into()],
            supervisor: true,
            expires_at_ms: Some(1_000),
            id: "t1".into(),
        }
    }

    #[test]
    fn a_token_says_again_what_was_signed() {
        let secrets = TokenSecrets::parse(NEW).unwrap();
        let token = secrets.mint(&claims());
        assert!(token.starts_with("weft_"), "{token}");
        assert_eq!(secrets.verify(&token, 999), Ok(claims()));
        assert_eq!(secrets.verify(&token, 1_000), Err(Refused::Expired));
    }

    #[test]
    fn secrets_rotate_without_a_moment_in_which_nobody_gets_in() {
        let before = TokenSecrets::parse(OLD).unwrap();
        let between = TokenSecrets::parse(&format!("{NEW}, {OLD}")).unwrap();
        let after = TokenSecrets::parse(NEW).unwrap();
        let old_token = before.mint(&claims());
        assert!(between.verify(&old_token, 0).is_ok());
        assert_eq!(after.verify(&old_token, 0), Err(Refused::Signature));
        assert!(after.verify(&between.mint(&claims()), 0).is_ok());
    }

    #[test]
    fn a_changed_foreign_or_broken_token_is_refused() {
        let secrets = TokenSecrets::parse(NEW).unwrap();
        let token = secrets.mint(&claims());
        let (signed, mac) = token.rsplit_once('.').unwrap();
        let other = Claims { tenant: "evil".into(), ..claims() };
        let other = secrets.mint(&other);
        let mixed = format!("{}.{mac}", other.rsplit_once('.').unwrap().0);
        let unreadable = format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(b"{\"tenant\":1}"));
        let mac_of_it = secrets.first.clone().chain_update(unreadable.as_bytes()).finalize().into_bytes();
        let unreadable = format!("{unreadable}.{}", URL_SAFE_NO_PAD.encode(mac_of_it));
        let table = [
            (String::new(), Refused::Malformed),
            ("weft_".into(), Refused::Malformed),
            ("weft_.".into(), Refused::Signature),
            (signed.to_owned(), Refused::Malformed),
            (format!("{signed}."), Refused::Signature),
            (format!("{signed}.{}", &mac[1..]), Refused::Malformed),
            (format!("{signed}.???"), Refused::Malformed),
            (token[5..].to_owned(), Refused::Malformed),
            (mixed, Refused::Signature),
            (unreadable, Refused::Claims),
            (format!("weft_{}.{mac}", "a".repeat(TOKEN_BYTES_MAX)), Refused::Malformed),
            (TokenSecrets::parse(OLD).unwrap().mint(&claims()), Refused::Signature),
        ];
        for (token, expected) in table {
            assert_eq!(secrets.verify(&token, 0), Err(expected), "{token}");
        }
    }

    #[test]
    fn each_purpose_and_each_secret_has_its_own_derived_key() {
        let between = TokenSecrets::parse(&format!("{NEW},{OLD}")).unwrap();
        let keys = between.derived("a");
        assert_eq!(keys.len(), 2);
        assert_eq!(keys[1], TokenSecrets::parse(OLD).unwrap().derived("a")[0]);
        assert_ne!(keys[0], between.derived("b")[0]);
    }

    #[test]
    fn a_seal_holds_for_its_text_and_is_never_a_token() {
        let secrets = TokenSecrets::parse(NEW).unwrap();
        let seal = secrets.seal("media get");
        assert!(secrets.is_sealed("media get", &seal));
        assert!(!secrets.is_sealed("media put", &seal) && !secrets.is_sealed("media get", &seal[1..]));
        assert!(
            !secrets.is_sealed("media get", "") && !TokenSecrets::parse(OLD).unwrap().is_sealed("media get", &seal)
        );
        let token = secrets.mint(&claims());
        let (signed, mac) = token.rsplit_once('.').unwrap();
        assert!(!secrets.is_sealed(signed, mac));
    }

    #[test]
    fn short_or_missing_secrets_are_refused_without_being_told() {
        assert_eq!(TokenSecrets::parse(" ,").unwrap_err(), SecretsError::None);
        let error = TokenSecrets::parse(&format!("{NEW},hush")).unwrap_err();
        assert_eq!(error, SecretsError::Short(2));
        assert!(!error.to_string().contains("hush"));
        assert_eq!(format!("{:?}", TokenSecrets::parse(NEW).unwrap()), "TokenSecrets(1)");
    }

    #[test]
    fn a_token_is_known_again_by_its_hash() {
        // printf abc | sha256sum
        assert_eq!(token_hash("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn the_bearer_header_is_read_in_any_case() {
        assert_eq!(bearer("Bearer x"), Some("x"));
        assert_eq!(bearer("bearer  x "), Some("x"));
        assert_eq!(bearer("Basic x"), None);
        assert_eq!(bearer("Bearer "), None);
        assert_eq!(bearer("x"), None);
    }
}
