//! WhatsApp, Messenger, Instagram: what the Graph API tells of a token, an account and an app (Meta for
//! Developers: `debug_token`, `{app}/subscriptions`, `{page}/subscribed_apps`, `{WABA}/subscribed_apps`).

use delivery::outlets::channels::api_base;
use schemas::records::Channel;
use secrecy::{ExposeSecret, SecretString};
use serde_json::Value as Json;

use super::asking::{Answer, Asking};
use super::{Case, Line, end_of_token, missing, own, texts};

/// `error.code` of a token that is no good.
const BAD_TOKEN: i64 = 190;

/// What a channel needs of its platform.
struct Needs {
    /// Permissions of the token.
    scopes: &'static [&'static str],
    /// What the account is asked for, and what it is called.
    fields: &'static str,
    object: &'static str,
    /// Webhook fields without which something of the conversation is lost.
    webhooks: &'static [&'static str],
}

fn needs(channel: Channel) -> Needs {
    match channel {
        Channel::Facebook => Needs {
            scopes: &["pages_messaging"],
            fields: "id,name",
            object: "page",
            webhooks: &[
                "messages",
                "message_echoes",
                "message_deliveries",
                "message_reads",
                "messaging_postbacks",
                "messaging_referrals",
                "message_reactions",
                "messaging_optins",
                "messaging_handovers",
                "standby",
            ],
        },
        Channel::Instagram => Needs {
            scopes: &["instagram_manage_messages"],
            fields: "id,username",
            object: "instagram",
            webhooks: &["messages", "messaging_postbacks", "messaging_seen", "message_reactions", "messaging_referral"],
        },
        Channel::Whatsapp | Channel::Twitter | Channel::Open | Channel::Web | Channel::Unknown => Needs {
            scopes: &["whatsapp_business_messaging", "whatsapp_business_management"],
            fields: "display_phone_number,verified_name,quality_rating",
            object: "whatsapp_business_account",
            webhooks: &["messages"],
        },
    }
}

struct Graph<'a> {
    case: &'a Case,
    asking: &'a Asking<'a>,
    base: &'a str,
    token: SecretString,
    needs: Needs,
}

pub(super) fn lines(case: &Case, asking: &Asking<'_>) -> Vec<Line> {
    let mut lines = Vec::new();
    let route = &case.account.route;
    let token = route.access_token.as_ref().and_then(|place| asking.secrets.get(place));
    let base = api_base(case.spec.channel, route);
    if let (Some(token), Some(base)) = (token, base) {
        let needs = needs(case.spec.channel);
        lines.extend(Graph { case, asking, base, token, needs }.lines());
    } else {
        let todo = "give outbound.access_token, and the secret to whoever runs this";
        lines.push(Line::wrong("token", "there is none to ask the provider with", todo));
    }
    lines.extend(own::handshake(case, asking));
    lines
}

impl Graph<'_> {
    fn lines(&self) -> Vec<Line> {
        // A token of Instagram login is no token of the Facebook app that its webhooks belong to.
        if self.case.spec.channel == Channel::Instagram && self.case.account.route.api_url.is_none() {
            return self.by_instagram_login();
        }
        let token = match self.get("debug_token", &[("input_token", self.token.expose_secret())]) {
            Ok(token) => token,
            Err(line) => return vec![line],
        };
        let data = &token["data"];
        let mut lines = self.token(data);
        lines.push(self.account());
        let app = data["app_id"].as_str().map(str::to_owned).or_else(|| self.case.account.app_id.clone());
        let Some(app) = app else {
            let todo = "set outbound.app_id";
            lines.push(Line::unknown("app", "the provider does not say which app the token belongs to", todo));
            return lines;
        };
        lines.push(self.app_id(&app));
        lines.push(if self.case.spec.channel == Channel::Whatsapp {
            self.business_account(data, &app)
        } else {
            self.page(&app)
        });
        lines.push(self.webhook(&app));
        lines
    }

    fn by_instagram_login(&self) -> Vec<Line> {
        let mut lines = vec![self.account()];
        lines.push(match self.case.account.token_expires_at {
            Some(ends_at_ms) => end_of_token(self.case, ends_at_ms),
            None => Line::wrong(
                "token's end",
                "tokens of Instagram login end after 60 days, and Instagram does not say when",
                "set outbound.token_expires_at to when it was made or renewed, and 60 days",
            ),
        });
        lines.push(self.page(self.case.account.app_id.as_deref().unwrap_or_default()));
        lines
    }

    fn token(&self, data: &Json) -> Vec<Line> {
        if data["is_valid"] != true {
            let said = data["error"]["message"].as_str().unwrap_or("it does not say why");
            let todo = "make a new token and put it where outbound.access_token points";
            return vec![Line::wrong("token", format!("not valid: {said}"), todo)];
        }
        let scopes = texts(&data["scopes"]);
        let lacking = missing(self.needs.scopes, &scopes);
        let mut lines = vec![if lacking.is_empty() {
            Line::good("token", format!("valid, with {}", self.needs.scopes.join(", ")))
        } else {
            let todo = "grant them to the app (app review), then make a new token with them";
            Line::wrong("token", format!("valid, but without {}", lacking.join(", ")), todo)
        }];
        lines.push(match data["expires_at"].as_i64() {
            Some(seconds) if seconds > 0 => end_of_token(self.case, seconds.saturating_mul(1_000)),
            Some(_) | None => Line::good("token's end", "it has none"),
        });
        lines
    }

    /// The number, page or account, as its own provider calls it.
    fn account(&self) -> Line {
        let id = self.case.provider_id();
        match self.get(id, &[("fields", self.needs.fields)]) {
            Ok(found) => {
                let words = self.needs.fields.split(',').filter_map(|name| found[name].as_str());
                Line::good("account", words.collect::<Vec<_>>().join(", "))
            }
            Err(line) if line.check == "token" => line,
            Err(Line { found, .. }) => {
                let todo = "compare provider_account_id with the platform, and what the token may see";
                Line::wrong("account", format!("{id}: {found}"), todo)
            }
        }
    }

    fn app_id(&self, app: &str) -> Line {
        match &self.case.account.app_id {
            Some(told) if told != app => {
                let todo = format!("set outbound.app_id: \"{app}\", or our own messages come back as somebody else's");
                Line::wrong("app", format!("the token is of app {app}, outbound.app_id says {told}"), todo)
            }
            None if self.case.spec.channel == Channel::Facebook => {
                let todo = format!("set outbound.app_id: \"{app}\", or our own messages come back as somebody else's");
                Line::wrong("app", format!("the token is of app {app}, outbound.app_id says nothing"), todo)
            }
            Some(_) | None => Line::good("app", format!("the token is of app {app}")),
        }
    }

    /// Whether the WhatsApp Business account lets our app know.
    fn business_account(&self, data: &Json, app: &str) -> Line {
        const CHECK: &str = "app subscribed";
        let granted = data["granular_scopes"].as_array().into_iter().flatten();
        let mut accounts: Vec<&str> = granted.flat_map(|one| texts(&one["target_ids"])).collect();
        accounts.sort_unstable();
        accounts.dedup();
        for account in &accounts {
            let found = self.get(&format!("{account}/subscribed_apps"), &[]).unwrap_or_default();
            let apps = found["data"].as_array().into_iter().flatten();
            if apps.map(|one| &one["whatsapp_business_api_data"]["id"]).any(|id| is_id(id, app)) {
                return Line::good(CHECK, format!("WhatsApp Business account {account} sends to app {app}"));
            }
        }
        if accounts.is_empty() {
            let todo = "look in the app's settings: WhatsApp, configuration";
            return Line::unknown(CHECK, "the token does not say which WhatsApp Business account it is for", todo);
        }
        let todo = format!("POST {}/{}/subscribed_apps with the token", self.base, accounts[0]);
        Line::wrong(CHECK, format!("{} does not send to app {app}", accounts.join(", ")), todo)
    }

    /// Whether the page or Instagram account lets our app know, and of what.
    fn page(&self, app: &str) -> Line {
        const CHECK: &str = "app subscribed";
        let id = self.case.provider_id();
        let found = match self.get(&format!("{id}/subscribed_apps"), &[]) {
            Ok(found) => found,
            Err(Line { found, .. }) => return Line::unknown(CHECK, found, "look in the app's settings: webhooks"),
        };
        let mut apps = found["data"].as_array().into_iter().flatten();
        let ours = apps.find(|one| app.is_empty() || one["id"].is_null() || is_id(&one["id"], app));
        let todo = |fields: &str| format!("POST {}/{id}/subscribed_apps?subscribed_fields={fields}", self.base);
        let Some(ours) = ours else {
            return Line::wrong(
                CHECK,
                format!("{id} does not send to app {app}"),
                todo(&self.needs.webhooks.join(",")),
            );
        };
        let lacking = missing(self.needs.webhooks, &texts(&ours["subscribed_fields"]));
        if lacking.is_empty() {
            return Line::good(CHECK, format!("{id} sends all {} fields", self.needs.webhooks.len()));
        }
        Line::wrong(CHECK, format!("{id} does not send {}", lacking.join(", ")), todo(&self.needs.webhooks.join(",")))
    }

    /// Where the app's webhooks go; only the app itself is told, by its secret.
    fn webhook(&self, app: &str) -> Line {
        const CHECK: &str = "webhook";
        let Some((endpoint, spec)) = &self.case.endpoint else {
            return Line::wrong(CHECK, "the account names no endpoint that exists", "apply an Endpoint and name it");
        };
        let path = format!("/webhooks/meta/{endpoint}");
        let todo = format!("in the app: callback https://<ingest>{path}, fields {}", self.needs.webhooks.join(", "));
        let address = format!("{}/{app}/subscriptions", self.base);
        let secrets = spec.secrets.iter().filter_map(|secret| own::read(secret).ok());
        let answers = secrets.filter_map(|secret| {
            let token = format!("Bearer {app}|{}", secret.expose_secret());
            self.asking.get(&address, &[], Some(&token)).ok().filter(|answer| answer.status == 200)
        });
        let Some(Answer { json, .. }) = { answers }.next() else {
            let found = format!("app {app} does not answer to any of the endpoint's secrets");
            return Line::wrong(
                CHECK,
                found,
                "put the app's secret among Endpoint.secrets: without it nothing is let in",
            );
        };
        let mut all = json["data"].as_array().into_iter().flatten();
        let Some(ours) = all.find(|one| one["object"] == self.needs.object) else {
            return Line::wrong(CHECK, format!("app {app} sends nothing about {}", self.needs.object), todo);
        };
        let callback = ours["callback_url"].as_str().unwrap_or_default();
        let fields: Vec<&str> = texts_or_names(&ours["fields"]);
        let lacking = missing(self.needs.webhooks, &fields);
        if ours["active"] == false || !callback.ends_with(&path) {
            return Line::wrong(CHECK, format!("app {app} sends to {callback:?}, active: {}", ours["active"]), todo);
        }
        if !lacking.is_empty() {
            return Line::wrong(CHECK, format!("{callback} is not sent {}", lacking.join(", ")), todo);
        }
        Line::good(CHECK, format!("{callback} is sent {}", fields.join(", ")))
    }

    /// Asks the API in the account's name; a line where it does not answer as it should.
    fn get(&self, path: &str, query: &[(&str, &str)]) -> Result<Json, Line> {
        let token = format!("Bearer {}", self.token.expose_secret());
        let away = |found| Line::unknown("provider", found, "see whether the provider can be reached from here");
        let answer = self.asking.get(&format!("{}/{path}", self.base), query, Some(&token)).map_err(away)?;
        if answer.status == 200 {
            return Ok(answer.json);
        }
        if answer.json["error"]["code"] == BAD_TOKEN || answer.status == 401 {
            let todo = "make a new token and put it where outbound.access_token points";
            return Err(Line::wrong("token", answer.complaint(), todo));
        }
        Err(Line::unknown("provider", answer.complaint(), "see what the provider says of it"))
    }
}

/// Ids come as texts or as numbers.
fn is_id(found: &Json, id: &str) -> bool {
    let number = || found.as_u64().is_some_and(|number| id.parse() == Ok(number));
    found.as_str().map_or_else(number, |text| text == id)
}

/// Fields with their versions, or their names alone.
fn texts_or_names(fields: &Json) -> Vec<&str> {
    let all = fields.as_array().into_iter().flatten();
    all.filter_map(|field| field.as_str().or_else(|| field["name"].as_str())).collect()
}
