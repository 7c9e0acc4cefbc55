//! Who a sign-in says that a guest is: what its token must say beyond a good signature (RFC 7519).

use schemas::config::SignIn;
use schemas::ids::DeploymentId;
use serde::Deserialize;
use stream::Timestamp;

/// Clocks of two houses may differ so much, seconds.
const LEEWAY_S: i64 = 30;
/// A sign-in token that lives longer than this was not made for this, seconds.
const LIFE_MAX_S: i64 = 86_400;
const SUBJECT_CHARS_MAX: usize = 256;
const NAME_CHARS_MAX: usize = 200;

/// What a signed token says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
pub struct Claims {
    /// Who made it.
    pub iss: String,
    /// For whom.
    pub aud: OneOrMore,
    /// Whom it names.
    pub sub: String,
    /// Until when, seconds since 1970.
    pub exp: i64,
    /// From when, seconds since 1970.
    #[serde(default)]
    pub nbf: Option<i64>,
    /// For which deployment, if not for all that trust its issuer.
    pub deployment: OneOrMore,
    /// What to call them.
    #[serde(default)]
    pub name: Option<String>,
}

/// A text, or a list of texts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(untagged)]
pub enum OneOrMore {
    /// One.
    One(String),
    /// A list.
    More(Vec<String>),
}

impl OneOrMore {
    fn names(&self, text: &str) -> bool {
        match self {
            Self::One(one) => one == text,
            Self::More(more) => more.iter().any(|one| one == text),
        }
    }
}

/// Somebody whom the company's own sign-in named.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Their id there.
    pub subject: String,
    /// What to call them.
    pub name: Option<String>,
}

/// Whom the claims name.
///
/// # Errors
/// What is wrong with them, from a closed set.
pub fn person(
    claims: Claims,
    rules: &SignIn,
    deployment: &DeploymentId,
    now: Timestamp,
) -> Result<Person, &'static str> {
    let now_s = now.as_ms().div_euclid(1_000);
    if claims.iss != rules.issuer {
        return Err("wrong_issuer");
    }
    if !claims.aud.names(&rules.audience) {
        return Err("wrong_audience");
    }
    if !claims.deployment.names(deployment.as_str()) {
        return Err("wrong_deployment");
    }
    if claims.exp.saturating_add(LEEWAY_S) <= now_s {
        return Err("expired");
    }
    if claims.exp > now_s.saturating_add(LIFE_MAX_S + LEEWAY_S) {
        return Err("lives_too_long");
    }
    if claims.nbf.is_some_and(|nbf| nbf > now_s.saturating_add(LEEWAY_S)) {
        return Err("not_yet");
    }
    if claims.sub.is_empty() || claims.sub.chars().count() > SUBJECT_CHARS_MAX {
        return Err("bad_subject");
    }
    let name = claims.name.filter(|name| !name.trim().is_empty() && name.chars().count() <= NAME_CHARS_MAX);
    Ok(Person { subject: claims.sub, name })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW_S: i64 = 1_800_000_000;

    fn rules() -> SignIn {
        SignIn { issuer: "https://shop.example".into(), audience: "weft".into(), ..SignIn::default() }
    }

    fn claims() -> Claims {
        Claims {
            iss: "https://shop.example".into(),
            aud: OneOrMore::More(vec!["other".into(), "weft".into()]),
            sub: "customer-17".into(),
            exp: NOW_S + 300,
            nbf: Some(NOW_S),
            deployment: OneOrMore::One("shop".into()),
            name: Some("Ada".into()),
        }
    }

    fn judged(change: impl FnOnce(&mut Claims)) -> Result<Person, &'static str> {
        let mut claims = claims();
        change(&mut claims);
        person(claims, &rules(), &"shop".into(), Timestamp::from_ms(NOW_S * 1_000))
    }

    #[test]
    fn a_good_token_names_a_person() {
        assert_eq!(judged(|_| {}), Ok(Person { subject: "customer-17".into(), name: Some("Ada".into()) }));
        assert_eq!(judged(|claims| claims.name = Some(" ".into())).map(|person| person.name), Ok(None));
    }

    #[test]
    fn a_token_for_somebody_else_some_other_time_or_nobody_is_refused() {
        type Change = fn(&mut Claims);
        let table: [(Change, &str); 9] = [
            (|claims| claims.iss = "https://evil.example".into(), "wrong_issuer"),
            (|claims| claims.aud = OneOrMore::One("other".into()), "wrong_audience"),
            (|claims| claims.deployment = OneOrMore::One("other".into()), "wrong_deployment"),
            (|claims| claims.deployment = OneOrMore::More(vec![]), "wrong_deployment"),
            (|claims| claims.exp = NOW_S - LEEWAY_S, "expired"),
            (|claims| claims.exp = NOW_S + 40 * 86_400, "lives_too_long"),
            (|claims| claims.nbf = Some(NOW_S + LEEWAY_S + 1), "not_yet"),
            (|claims| claims.sub = String::new(), "bad_subject"),
            (|claims| claims.sub = "x".repeat(257), "bad_subject"),
        ];
        for (change, reason) in table {
            assert_eq!(judged(change), Err(reason));
        }
    }

    #[test]
    fn a_token_without_audience_end_or_deployment_cannot_be_read() {
        for missing in ["iss", "aud", "sub", "exp", "deployment"] {
            let mut json = serde_json::json!({"iss": "a", "aud": "b", "sub": "c", "exp": 1, "deployment": "d"});
            assert!(serde_json::from_value::<Claims>(json.clone()).is_ok());
            json.as_object_mut().unwrap().remove(missing);
            assert!(serde_json::from_value::<Claims>(json).is_err(), "{missing}");
        }
    }
}
