//! `weft token`: bearer tokens.

use access::{Claims, Subject};
use clap::{Args, Subcommand};
use schemas::ids::EventId;
use serde_json::json;
use stream::Timestamp;

use crate::output::Output;
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// Make bearer tokens for agents and programs
#[derive(Subcommand)]
pub(super) enum Token {
    Mint(Mint),
}

/// Sign a token; it is printed alone on standard output
///
/// Signed with the first of WEFT_TOKEN_SECRET. Nothing is stored: a token is good until it expires or its secret is
/// taken out of service; an ApiClient that lists `token_hashes` is let in by those tokens alone.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft token mint --tenant acme --agent ana --ttl 12h\n  weft token mint --tenant acme --agent sue --supervisor\n  weft token mint --tenant acme --client shop --scope inbound --scope agentless"
)]
pub(super) struct Mint {
    /// The company; the bearer sees nothing of another
    #[arg(long)]
    tenant: String,
    /// For a person: the agent's id
    #[arg(long, value_name = "ID", required_unless_present = "client", conflicts_with = "client")]
    agent: Option<String>,
    /// For a program: the client's id
    #[arg(long, value_name = "ID", requires = "scope")]
    client: Option<String>,
    /// What a program may do: inbound, agentless, consents, reports; may be repeated
    #[arg(long, conflicts_with = "agent", value_delimiter = ',')]
    scope: Vec<String>,
    /// The agent may see everybody's work, take over and reassign
    #[arg(long, requires = "agent")]
    supervisor: bool,
    /// How long it is good: 15m, 12h, 30d, or `never`
    #[arg(long, default_value = "30d")]
    ttl: String,
}

impl Token {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let Self::Mint(mint) = self;
        let secrets = reach.config.need_token_secrets()?;
        let claims = mint.claims(stream::clock::now())?;
        let token = secrets.mint(&claims);
        if output.is_json() {
            output.line(json!({ "token": token, "hash": access::token_hash(&token), "claims": claims }))?;
        } else {
            output.line(token)?;
        }
        Ok(Verdict::Good)
    }
}

impl Mint {
    fn claims(&self, now: Timestamp) -> Result<Claims, Failure> {
        let subject = match (&self.agent, &self.client) {
            (Some(agent), _) => Subject::Agent(agent.clone()),
            (None, Some(client)) => Subject::Client(client.clone()),
            (None, None) => return Err(Failure::Usage("expected --agent or --client".into())),
        };
        let name = self.agent.as_ref().or(self.client.as_ref()).map_or("", String::as_str);
        Ok(Claims {
            tenant: self.tenant.clone(),
            subject,
            scopes: self.scope.clone(),
            supervisor: self.supervisor,
            expires_at_ms: lifetime_ms(&self.ttl)?.map(|ms| now.plus_ms(ms).as_ms()),
            id: EventId::derive(&["token", &self.tenant, name, &now.to_string()]).to_string(),
        })
    }
}

/// Milliseconds of `15m`, `12h`, `30d`; none for `never`.
fn lifetime_ms(text: &str) -> Result<Option<i64>, Failure> {
    if text == "never" {
        return Ok(None);
    }
    let wrong = || Failure::Usage(format!("--ttl: expected e.g. 15m, 12h, 30d or never, found {text}"));
    let unit = match text.chars().last() {
        Some('s') => 1_000,
        Some('m') => 60_000,
        Some('h') => 3_600_000,
        Some('d') => 86_400_000,
        _ => return Err(wrong()),
    };
    let count: i64 = text[..text.len() - 1].parse().map_err(|_| wrong())?;
    count.checked_mul(unit).filter(|ms| *ms > 0).map(Some).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lifetimes_are_read_with_their_unit_and_nothing_else() {
        for (text, ms) in [("90s", 90_000), ("15m", 900_000), ("12h", 43_200_000), ("30d", 2_592_000_000)] {
            assert_eq!(lifetime_ms(text).unwrap(), Some(ms));
        }
        assert_eq!(lifetime_ms("never").unwrap(), None);
        for wrong in ["", "h", "12", "-1h", "0d", "1w", "é"] {
            assert!(matches!(lifetime_ms(wrong), Err(Failure::Usage(_))), "{wrong}");
        }
    }
}
