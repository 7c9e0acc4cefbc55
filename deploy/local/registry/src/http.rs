//! The routes of Confluent's Schema Registry API that clients and `weft schemas` use.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use apache_avro::Schema;
use axum::{
    Router,
    body::Bytes,
    extract::{Path, Query, Request, State},
    http::{HeaderMap, header},
    middleware::{self, Next},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::{
    compatibility::{Level, conflicts},
    error::Refusal,
    store::{Canonical, Store},
};

pub(crate) const CONTENT_TYPE: &str = "application/vnd.schemaregistry.v1+json";

type Shared = Arc<Mutex<Store>>;
type Answer = Result<Json, Refusal>;

struct Json(Value);

impl IntoResponse for Json {
    fn into_response(self) -> Response {
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], self.0.to_string()).into_response()
    }
}

/// All routes over one store.
pub fn router(store: Store) -> Router {
    Router::new()
        .route("/", get(|| async { Json(json!({})) }))
        .route("/mode", get(|| async { Json(json!({"mode": "READWRITE"})) }))
        .route("/schemas/types", get(|| async { Json(json!(["AVRO"])) }))
        .route("/schemas/ids/{id}", get(schema_by_id))
        .route("/schemas/ids/{id}/versions", get(uses_of_id))
        .route("/subjects", get(subjects))
        .route("/subjects/{subject}", post(look_up))
        .route("/subjects/{subject}/versions", get(versions).post(register))
        .route("/subjects/{subject}/versions/{version}", get(version))
        .route("/config", get(global_level).put(set_global_level))
        .route("/config/{subject}", get(subject_level).put(set_subject_level))
        .route("/compatibility/subjects/{subject}/versions/{version}", post(check))
        .fallback(|| async { Refusal::NoSuchRoute })
        .layer(middleware::from_fn(acceptable))
        .with_state(Arc::new(Mutex::new(store)))
}

/// Refuses, as the real registries do, a client that cannot take any of our content types.
async fn acceptable(request: Request, next: Next) -> Response {
    if accepts(request.headers()) { next.run(request).await } else { Refusal::NotAcceptable.into_response() }
}

fn accepts(headers: &HeaderMap) -> bool {
    let mut wanted = headers
        .get_all(header::ACCEPT)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|range| range.split(';').next().unwrap_or_default().trim())
        .peekable();
    wanted.peek().is_none()
        || wanted.any(|range| {
            matches!(
                range,
                "*/*" | "application/*" | "application/json" | "application/vnd.schemaregistry+json" | CONTENT_TYPE
            )
        })
}

/// A poisoned lock is a bug that was already reported; the store behind it changes only whole, so it is still true.
fn lock(store: &Shared) -> MutexGuard<'_, Store> {
    store.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Deserialize)]
struct SchemaBody {
    schema: String,
    #[serde(rename = "schemaType")]
    schema_type: Option<String>,
    #[serde(default)]
    references: Vec<Value>,
}

struct Submitted {
    canonical: Canonical,
    schema: Schema,
}

fn submitted(body: &Bytes) -> Result<Submitted, Refusal> {
    let body: SchemaBody = serde_json::from_slice(body).map_err(|cause| Refusal::InvalidBody(cause.to_string()))?;
    if let Some(other) = body.schema_type.filter(|kind| kind != "AVRO") {
        return Err(Refusal::InvalidSchema(format!("expected schemaType AVRO, got {other}")));
    }
    if !body.references.is_empty() {
        return Err(Refusal::InvalidSchema("references to other subjects are not supported".into()));
    }
    parsed(&body.schema)
}

fn parsed(text: &str) -> Result<Submitted, Refusal> {
    // A bare primitive may come without quotes: `string` as well as `"string"`.
    let value = serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned()));
    let schema = Schema::parse(&value).map_err(|cause| Refusal::InvalidSchema(cause.to_string()))?;
    Ok(Submitted { canonical: Canonical::of(&value), schema })
}

async fn subjects(State(store): State<Shared>) -> Answer {
    Ok(Json(lock(&store).subjects().collect()))
}

async fn versions(State(store): State<Shared>, Path(subject): Path<String>) -> Answer {
    let store = lock(&store);
    let ids = store.versions(&subject).ok_or(Refusal::SubjectNotFound(subject.clone()))?;
    Ok(Json((1..=ids.len()).collect()))
}

async fn version(State(store): State<Shared>, Path((subject, version)): Path<(String, String)>) -> Answer {
    let store = lock(&store);
    let ids = store.versions(&subject).ok_or(Refusal::SubjectNotFound(subject.clone()))?;
    let number = number(&version, ids)?;
    described(&store, &subject, number, ids[number - 1])
}

/// A version's number, 1 or more and no more than there are.
fn number(version: &str, ids: &[u32]) -> Result<usize, Refusal> {
    let number = match version {
        "latest" | "-1" => ids.len(),
        _ => version
            .parse()
            .ok()
            .filter(|number| (1..=i32::MAX as usize).contains(number))
            .ok_or_else(|| Refusal::InvalidVersion(version.to_owned()))?,
    };
    if number == 0 || number > ids.len() {
        return Err(Refusal::VersionNotFound(version.to_owned()));
    }
    Ok(number)
}

fn described(store: &Store, subject: &str, version: usize, id: u32) -> Answer {
    let schema = store.schema(id).ok_or(Refusal::SchemaNotFound)?;
    Ok(Json(json!({
        "subject": subject, "version": version, "id": id, "schema": schema,
    })))
}

async fn look_up(State(store): State<Shared>, Path(subject): Path<String>, body: Bytes) -> Answer {
    let submitted = submitted(&body)?;
    let store = lock(&store);
    let ids = store.versions(&subject).ok_or(Refusal::SubjectNotFound(subject.clone()))?;
    let id = store.id_for(&submitted.canonical);
    let index = ids.iter().position(|known| *known == id).ok_or(Refusal::SchemaNotFound)?;
    described(&store, &subject, index + 1, id)
}

async fn register(State(store): State<Shared>, Path(subject): Path<String>, body: Bytes) -> Answer {
    let submitted = submitted(&body)?;
    let mut store = lock(&store);
    let id = store.id_for(&submitted.canonical);
    let ids = store.versions(&subject).unwrap_or_default();
    if !ids.contains(&id) {
        let level = store.subject_level(&subject).unwrap_or_else(|| store.global_level());
        let earlier = if level.transitive() { ids } else { &ids[ids.len().saturating_sub(1)..] };
        let reasons = against(&store, level, earlier, &submitted.schema)?;
        if !reasons.is_empty() {
            return Err(Refusal::Incompatible { subject, reasons });
        }
    }
    store.register(&subject, &submitted.canonical)?;
    Ok(Json(json!({"id": id})))
}

fn against(store: &Store, level: Level, earlier: &[u32], new: &Schema) -> Result<Vec<String>, Refusal> {
    let mut reasons = Vec::new();
    for id in earlier {
        let old = parsed(store.schema(*id).ok_or(Refusal::SchemaNotFound)?)?;
        reasons.extend(conflicts(level, &old.schema, new));
    }
    Ok(reasons)
}

#[derive(Deserialize)]
struct Verbose {
    #[serde(default)]
    verbose: bool,
}

async fn check(
    State(store): State<Shared>,
    Path((subject, version)): Path<(String, String)>,
    Query(Verbose { verbose }): Query<Verbose>,
    body: Bytes,
) -> Answer {
    let submitted = submitted(&body)?;
    let store = lock(&store);
    let ids = store.versions(&subject).ok_or(Refusal::VersionNotFound(version.clone()))?;
    let number = number(&version, ids)?;
    let level = store.subject_level(&subject).unwrap_or_else(|| store.global_level());
    let reasons = against(&store, level, &ids[number - 1..number], &submitted.schema)?;
    let mut answer = json!({"is_compatible": reasons.is_empty()});
    if verbose {
        answer["messages"] = json!(reasons);
    }
    Ok(Json(answer))
}

async fn schema_by_id(State(store): State<Shared>, Path(id): Path<u32>) -> Answer {
    let store = lock(&store);
    let schema = store.schema(id).ok_or(Refusal::SchemaNotFound)?;
    Ok(Json(json!({"schema": schema})))
}

async fn uses_of_id(State(store): State<Shared>, Path(id): Path<u32>) -> Answer {
    let store = lock(&store);
    store.schema(id).ok_or(Refusal::SchemaNotFound)?;
    let uses = store.uses(id).map(|(subject, version)| json!({"subject": subject, "version": version}));
    Ok(Json(uses.collect()))
}

async fn global_level(State(store): State<Shared>) -> Answer {
    Ok(Json(json!({"compatibilityLevel": lock(&store).global_level()})))
}

#[derive(Deserialize)]
struct DefaultToGlobal {
    #[serde(default, rename = "defaultToGlobal")]
    default_to_global: bool,
}

async fn subject_level(
    State(store): State<Shared>,
    Path(subject): Path<String>,
    Query(DefaultToGlobal { default_to_global }): Query<DefaultToGlobal>,
) -> Answer {
    let store = lock(&store);
    let level = match store.subject_level(&subject) {
        Some(level) => level,
        None if default_to_global => store.global_level(),
        None => return Err(Refusal::LevelNotConfigured(subject)),
    };
    Ok(Json(json!({"compatibilityLevel": level})))
}

#[derive(Deserialize)]
struct LevelBody {
    compatibility: String,
}

async fn set_global_level(State(store): State<Shared>, body: Bytes) -> Answer {
    set_level(&store, None, &body)
}

async fn set_subject_level(State(store): State<Shared>, Path(subject): Path<String>, body: Bytes) -> Answer {
    set_level(&store, Some(&subject), &body)
}

fn set_level(store: &Shared, subject: Option<&str>, body: &Bytes) -> Answer {
    let LevelBody { compatibility } =
        serde_json::from_slice(body).map_err(|cause| Refusal::InvalidBody(cause.to_string()))?;
    let level: Level =
        serde_json::from_value(json!(compatibility)).map_err(|_| Refusal::InvalidLevel(compatibility))?;
    lock(store).set_level(subject, level)?;
    Ok(Json(json!({"compatibility": level})))
}
