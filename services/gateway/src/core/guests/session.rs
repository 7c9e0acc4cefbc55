//! Who may go on with which session (T6): begin, resume, sign in, end. A session belongs to the
//! deployment and the origin that it was begun at; its secret is known here by its hash alone.
//!
//! A guest who signs in gets another secret, so that whoever knew the first one knows nothing of the
//! person. What was written unknown stays with the unknown guest: a session that has written keeps
//! its conversation, one that has not speaks as the person from here on.

use std::sync::Arc;

use schemas::config::Deployment;
use schemas::ids::{AccountId, CustomerKey, DeploymentId, EventId, TenantId};
use schemas::records::{Channel, GuestSession, GuestView, GuestViewKind};
use stream::Timestamp;

use super::identity::Person;
use super::refusal::{Code, Refusal};
use super::{Deployed, Guests};

/// Hash of a session's secret, 64 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionId(String);

impl SessionId {
    /// The hash as text.
    pub fn new(hash: impl Into<String>) -> Self {
        Self(hash.into())
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A session in force.
#[derive(Debug, Clone, PartialEq)]
pub struct Session {
    /// The hash of its secret.
    pub id: SessionId,
    /// Whose guest it is.
    pub tenant: TenantId,
    /// What it allows.
    pub spec: GuestSession,
}

impl Session {
    /// Whose conversations it shows.
    pub fn customer(&self) -> CustomerKey {
        self.spec.customer_key
    }
}

/// Where a connection came in.
#[derive(Debug, Clone)]
pub struct Door {
    /// The deployment.
    pub at: Deployed,
    /// The web origin; none for a native app.
    pub origin: Option<String>,
}

impl Door {
    fn is_of(&self, session: &Session) -> bool {
        session.tenant == self.at.tenant
            && session.spec.deployment_id == self.at.id
            && session.spec.account_id == self.at.account
            && session.spec.origin == self.origin
    }
}

/// What a guest asks for.
#[derive(Debug, Clone, Default)]
pub struct Wish {
    /// The session to go on with.
    pub session: Option<SessionId>,
    /// To leave that one and begin another.
    pub start_new: bool,
    /// Who has signed in.
    pub person: Option<Person>,
}

/// What the shell made by chance, in case it is needed.
#[derive(Debug, Clone)]
pub struct Fresh {
    /// Hash of a new secret.
    pub session: SessionId,
    /// Id of a new guest.
    pub guest: String,
}

/// What becomes of a wish.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The session from here on.
    pub session: Arc<Session>,
    /// Whether nothing of a former one is shown.
    pub is_new: bool,
    /// Whether its secret is the fresh one.
    pub has_fresh_secret: bool,
    /// The session that this one takes the place of.
    pub ends: Option<SessionId>,
    /// Whether an unknown guest has become a known person within their conversation.
    pub stepped_up: bool,
}

impl Guests {
    /// Decides what becomes of a wish.
    ///
    /// # Errors
    /// The session is over, somebody else's, or needs a sign-in.
    pub fn decide(&self, door: &Door, wish: &Wish, fresh: Fresh, now: Timestamp) -> Result<Decision, Refusal> {
        if wish.person.is_some() && door.at.spec.sign_in.is_none() {
            return Err(Refusal::new(Code::Unavailable, "nobody signs in at this deployment"));
        }
        let former = match &wish.session {
            Some(id) => Some(self.session(door, id, now)?),
            None => None,
        };
        let Some(former) = former else {
            return Ok(Self::begun(self.begin(door, wish.person.as_ref(), fresh, now), None));
        };
        if wish.start_new {
            let ends = Some(former.id.clone());
            return Ok(Self::begun(self.begin(door, wish.person.as_ref(), fresh, now), ends));
        }
        match (&former.spec.subject, &wish.person) {
            (None, None) => Ok(Self::resumed(former)),
            (Some(_), None) => Err(Refusal::new(Code::Downgrade, "who has signed in must sign in again")),
            (Some(subject), Some(person)) if *subject == person.subject => Ok(Self::resumed(former)),
            (Some(_), Some(_)) => Err(not_found()),
            (None, Some(person)) => self.step_up(door, &former, person, (fresh, now)),
        }
    }

    /// A session in force, if it belongs to this door.
    ///
    /// # Errors
    /// It does not, is over, or was ended.
    pub fn session(&self, door: &Door, id: &SessionId, now: Timestamp) -> Result<Arc<Session>, Refusal> {
        let session = self.sessions.get(id).filter(|session| door.is_of(session)).ok_or_else(not_found)?;
        if self.is_revoked(session) {
            return Err(not_found());
        }
        if self.expires_at(session) <= now {
            return Err(Refusal::new(Code::SessionExpired, "the session's time is over"));
        }
        Ok(Arc::clone(session))
    }

    fn begun(session: Session, ends: Option<SessionId>) -> Decision {
        Decision { session: Arc::new(session), is_new: true, has_fresh_secret: true, ends, stepped_up: false }
    }

    fn resumed(session: Arc<Session>) -> Decision {
        Decision { session, is_new: false, has_fresh_secret: false, ends: None, stepped_up: false }
    }

    fn begin(&self, door: &Door, person: Option<&Person>, fresh: Fresh, now: Timestamp) -> Session {
        let (customer_id, id_type) = match person {
            Some(person) => (format!("subject:{}", person.subject), "subject"),
            None => (format!("guest:{}", fresh.guest), "guest"),
        };
        let Deployed { tenant, id, account, .. } = &door.at;
        let spec = GuestSession {
            deployment_id: id.clone(),
            account_id: account.clone(),
            origin: door.origin.clone(),
            customer_key: CustomerKey::derive(&self.secret, tenant, Channel::Web.as_str(), account, &customer_id),
            customer_id,
            id_type: id_type.to_owned(),
            subject: person.map(|person| person.subject.clone()),
            display_name: person.and_then(|person| person.name.clone()),
            began_at: now.as_ms(),
        };
        Session { id: fresh.session, tenant: tenant.clone(), spec }
    }

    fn step_up(
        &self,
        door: &Door,
        former: &Session,
        person: &Person,
        (fresh, now): (Fresh, Timestamp),
    ) -> Result<Decision, Refusal> {
        if !door.at.spec.sign_in.as_ref().is_some_and(|sign_in| sign_in.step_up) {
            return Err(Refusal::new(Code::Unavailable, "nobody signs in within a session at this deployment"));
        }
        let mut session = self.begin(door, Some(person), fresh, now);
        let has_written = self.has_spoken(former.customer());
        if has_written {
            session.spec.customer_key = former.spec.customer_key;
            session.spec.customer_id.clone_from(&former.spec.customer_id);
            session.spec.id_type.clone_from(&former.spec.id_type);
        }
        let decision = Self::begun(session, Some(former.id.clone()));
        Ok(Decision { is_new: !has_written, stepped_up: has_written, ..decision })
    }
}

fn not_found() -> Refusal {
    Refusal::new(Code::SessionNotFound, "no such session at this deployment and origin")
}

/// Key and record of a session on `guest.views`.
pub fn session_view(session: &Session, now: Timestamp) -> (String, GuestView) {
    let id = session.id.as_str();
    let kind = GuestViewKind::Session(Box::new(session.spec.clone()));
    (session_key(&session.tenant, &session.id), view(&session.tenant, id, kind, now))
}

/// Key of a session on `guest.views`.
pub fn session_key(tenant: &TenantId, id: &SessionId) -> String {
    format!("{tenant}/session/{}", id.as_str())
}

/// A record of `guest.views`.
pub fn view(tenant: &TenantId, id: &str, kind: GuestViewKind, now: Timestamp) -> GuestView {
    let at = now.as_ms();
    GuestView {
        event_id: EventId::derive(&[tenant.as_str(), "guest.views", id, kind.name(), &at.to_string()]),
        tenant: tenant.clone(),
        occurred_at: at,
        recorded_at: at,
        id: id.to_owned(),
        kind,
    }
}

/// Whether a connection may come in by this origin: listed as it is, or none for native apps.
fn admits(spec: &Deployment, origin: Option<&str>) -> bool {
    match origin {
        Some(origin) => spec.allowed_origins.iter().any(|allowed| allowed == origin),
        None => spec.native_apps,
    }
}

impl Guests {
    /// The one deployment of this id that admits the origin; two tenants may have given the same
    /// name, and where both would admit nobody knows whose guest it is.
    pub fn door(&self, id: &DeploymentId, origin: Option<&str>) -> Option<Door> {
        self.only(id, origin, |spec| admits(spec, origin))
    }

    /// The same for whoever asks for its configuration: without an origin anybody may.
    pub fn public(&self, id: &DeploymentId, origin: Option<&str>) -> Option<Door> {
        self.only(id, origin, |spec| origin.is_none() || admits(spec, origin))
    }

    fn only(&self, id: &DeploymentId, origin: Option<&str>, admits: impl Fn(&Deployment) -> bool) -> Option<Door> {
        let of_name = self.deployments.get(id).into_iter().flatten();
        let mut admitting = of_name.filter(|(_, spec)| admits(spec)).filter_map(|(tenant, spec)| {
            let account = AccountId::new(&spec.account);
            let is_web = self.accounts.contains_key(&(tenant.clone(), account.clone()));
            is_web.then(|| Deployed { tenant: tenant.clone(), id: id.clone(), account, spec: Arc::clone(spec) })
        });
        let at = admitting.next().filter(|_| admitting.next().is_none())?;
        Some(Door { at, origin: origin.map(str::to_owned) })
    }
}
