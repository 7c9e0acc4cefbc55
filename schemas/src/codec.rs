//! Record ⇄ Avro bytes with Confluent framing: magic byte 0, 4-byte schema id, datum.
//!
//! Encoding goes from the struct straight to bytes with the schema that was compiled in; its id
//! was looked up once at start. Decoding uses the *writer's* schema straight into the struct, so
//! a field that an old writer lacked takes its serde default. What that path cannot fit is read
//! through Avro's own resolution.
//!
//! Both ways are `avro`'s; resolution and JSON are apache_avro's.
//!
//! schema_registry_converter fetches schemas; the framing is done here, because its own codec
//! goes through `apache_avro::types::Value`, 6–20 times slower.

use std::collections::HashMap;
use std::sync::{Arc, RwLock};
use std::time::Duration;

use apache_avro::Schema;
use apache_avro::reader::datum::GenericDatumReader;
use schema_registry_converter::async_impl::schema_registry::{SrSettings, get_schema_by_id};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::avro::Node;
use crate::records::{DeadLetter, Record};
use crate::topics::{Topic, dead_letter_topic};

const MAGIC: u8 = 0;
const FRAME_BYTES: usize = 5;
const DETAIL_CHARS_MAX: usize = 300;

/// Where the schema registry is and who we are to it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrySettings {
    /// Base address of a Confluent-compatible registry.
    pub url: String,
    /// Basic authentication; empty: none.
    pub username: String,
    /// Basic authentication.
    pub password: Option<SecretString>,
    /// Bearer token, in place of basic authentication.
    pub token: Option<SecretString>,
    /// Time-out of one request, milliseconds.
    pub timeout_ms: u64,
}

impl Default for RegistrySettings {
    fn default() -> Self {
        Self {
            url: "http://127.0.0.1:19081".into(),
            username: String::new(),
            password: None,
            token: None,
            timeout_ms: 5_000,
        }
    }
}

/// What can go wrong between a record and its bytes.
#[derive(Debug, thiserror::Error)]
pub enum CodecError {
    /// The bytes do not start with the Confluent frame.
    #[error("expected magic byte 0 and a 4-byte schema id, found {0} bytes starting with {1:?}")]
    NotFramed(usize, Option<u8>),
    /// The datum does not fit its schema or the record.
    #[error("could not read {record}: {detail}")]
    Undecodable {
        /// The record asked for.
        record: &'static str,
        /// What the decoder said.
        detail: String,
    },
    /// The record does not fit the schema of its topic: a fault of this build.
    #[error("could not write {record} for {topic}: {detail}")]
    Unencodable {
        /// The record.
        record: &'static str,
        /// The topic.
        topic: String,
        /// What the encoder said.
        detail: String,
    },
    /// The registry has no schema of that id.
    #[error("the registry knows no schema {0}")]
    UnknownSchema(u32),
    /// The registry did not answer; the same call may work later.
    #[error("schema registry {url} cannot be reached: {detail}")]
    RegistryAway {
        /// The registry's address.
        url: String,
        /// What the client said.
        detail: String,
    },
    /// The subject lacks the schema that this build writes.
    #[error("subject {0} lacks the schema of this build; run `weft schemas register`")]
    NotRegistered(String),
}

impl CodecError {
    /// The reason of the dead letter that the record becomes; a metric label.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::NotFramed(..) => "not_framed",
            Self::UnknownSchema(_) => "unknown_schema",
            Self::Undecodable { .. } | Self::Unencodable { .. } => "undecodable",
            Self::RegistryAway { .. } | Self::NotRegistered(_) => "registry_away",
        }
    }

    /// Whether the record is not to blame: its partition waits until the registry answers.
    pub fn is_registry_away(&self) -> bool {
        matches!(self, Self::RegistryAway { .. })
    }
}

struct TopicWriter {
    id: u32,
    record: &'static str,
    schema: Node,
}

/// Encodes and decodes the records of the topics it was made for.
pub struct Codec {
    writers: HashMap<String, TopicWriter>,
    /// What this build knows of each record.
    ours: HashMap<&'static str, &'static Schema>,
    readers: RwLock<HashMap<u32, Arc<Reader>>>,
    registry: Option<Registry>,
}

/// One writer's schema.
struct Reader {
    schema: &'static Schema,
    /// None: it holds what weft itself never writes.
    direct: Option<Node>,
}

struct Registry {
    url: String,
    settings: SrSettings,
    runtime: tokio::runtime::Handle,
}

impl Codec {
    /// Looks up the schema ids of these topics and of their dead-letter topics, once.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`] and [`CodecError::NotRegistered`].
    pub async fn connect(settings: &RegistrySettings, topics: &[Topic]) -> Result<Self, CodecError> {
        let client = RegistryClient::new(settings)?;
        let mut ids = HashMap::new();
        for (name, _, schema) in subjects(topics) {
            let id = client.lookup(&format!("{name}-value"), schema).await?;
            ids.insert(name, id);
        }
        let mut codec = Self::with_ids(topics, |name| ids[name]);
        codec.registry = Some(Registry {
            url: settings.url.clone(),
            settings: client.converter,
            runtime: tokio::runtime::Handle::current(),
        });
        Ok(codec)
    }

    /// A codec with ids counted from 1 in the order of `topics`, for tests without a registry.
    pub fn offline(topics: &[Topic]) -> Self {
        let order: HashMap<String, u32> =
            subjects(topics).into_iter().zip(1u32..).map(|((name, _, _), id)| (name, id)).collect();
        Self::with_ids(topics, |name| order[name])
    }

    fn with_ids(topics: &[Topic], id_of: impl Fn(&str) -> u32) -> Self {
        let mut writers = HashMap::new();
        let mut readers = HashMap::new();
        let mut ours = HashMap::new();
        for (name, record, text) in subjects(topics) {
            let id = id_of(&name);
            let reader = reader(text).expect("compiled-in schemas parse; tests/schemas.rs");
            ours.insert(record, reader.schema);
            let schema = reader.direct.clone().expect("compiled-in schemas are of weft's kind; tests/schemas.rs");
            writers.insert(name, TopicWriter { id, record, schema });
            readers.entry(id).or_insert_with(|| Arc::new(reader));
        }
        Self { writers, ours, readers: RwLock::new(readers), registry: None }
    }

    /// The framed bytes of a record for a topic.
    ///
    /// # Errors
    /// [`CodecError::Unencodable`], when the topic carries another record or a value does not fit.
    pub fn encode<R: Record>(&self, topic: &str, record: &R) -> Result<Vec<u8>, CodecError> {
        let unencodable = |detail: String| CodecError::Unencodable { record: R::NAME, topic: topic.into(), detail };
        let Some(target) = self.writers.get(topic) else {
            return Err(unencodable("this codec was not made for that topic".into()));
        };
        if target.record != R::NAME {
            return Err(unencodable(format!("the topic carries {}", target.record)));
        }
        let mut bytes = Vec::with_capacity(512);
        bytes.push(MAGIC);
        bytes.extend_from_slice(&target.id.to_be_bytes());
        target.schema.write(record, &mut bytes).map_err(|error| unencodable(brief(&error)))?;
        Ok(bytes)
    }

    /// The record in framed bytes. A writer's schema seen for the first time is fetched from the
    /// registry, blocking; call it off the async executor.
    ///
    /// # Errors
    /// [`CodecError::NotFramed`], [`CodecError::Undecodable`], [`CodecError::UnknownSchema`]: the
    /// record's fault. [`CodecError::RegistryAway`]: the world's.
    pub fn decode<R: Record>(&self, bytes: &[u8]) -> Result<R, CodecError> {
        let (id, datum) = unframe(bytes)?;
        let reader = self.reader(id)?;
        let direct = reader.direct.as_ref().map(|schema| schema.read::<R>(datum));
        let detail = match direct {
            Some(Ok(record)) => return Ok(record),
            Some(Err(error)) => brief(&error),
            None => "its schema cannot be fitted to ours".to_owned(),
        };
        self.resolve(reader.schema, datum).ok_or(CodecError::Undecodable { record: R::NAME, detail })
    }

    /// Reads with the writer's schema and fits the value to ours; many times slower.
    fn resolve<R: Record>(&self, theirs: &'static Schema, mut datum: &[u8]) -> Option<R> {
        let ours = *self.ours.get(R::NAME)?;
        let reader = GenericDatumReader::builder(theirs).reader_schema(ours).build().ok()?;
        let value = reader.read_value(&mut datum).ok()?;
        apache_avro::from_value(&value).ok()
    }

    /// Any framed record as JSON, by its writer's schema alone.
    ///
    /// # Errors
    /// As [`Codec::decode`].
    pub fn decode_json(&self, bytes: &[u8]) -> Result<serde_json::Value, CodecError> {
        let (id, mut datum) = unframe(bytes)?;
        let reader = self.reader(id)?;
        let undecodable = |detail: String| CodecError::Undecodable { record: "record", detail };
        let plain = GenericDatumReader::builder(reader.schema).build();
        let value = plain.and_then(|plain| plain.read_value(&mut datum)).map_err(|error| undecodable(brief(&error)))?;
        serde_json::Value::try_from(value).map_err(|error| undecodable(error.to_string()))
    }

    /// Whether these bytes can be decoded here and now, as far as their writer's schema goes; fetches
    /// it if it is new. For the runtime's question whether a partition must wait.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`]: ask again later. Others: [`Codec::decode`] says them too.
    pub fn knows_writer(&self, bytes: &[u8]) -> Result<(), CodecError> {
        self.reader(unframe(bytes)?.0).map(drop)
    }

    fn reader(&self, id: u32) -> Result<Arc<Reader>, CodecError> {
        if let Some(reader) = self.readers.read().expect("no holder of this lock panics").get(&id) {
            return Ok(Arc::clone(reader));
        }
        let Some(registry) = &self.registry else {
            return Err(CodecError::UnknownSchema(id));
        };
        let fetched = registry.runtime.block_on(get_schema_by_id(id, &registry.settings)).map_err(|error| {
            if error.retriable {
                CodecError::RegistryAway { url: registry.url.clone(), detail: error.to_string() }
            } else {
                CodecError::UnknownSchema(id)
            }
        })?;
        let reader = reader(&fetched.schema).map_err(|detail| CodecError::Undecodable { record: "schema", detail })?;
        let reader = Arc::new(reader);
        self.readers.write().expect("no holder of this lock panics").insert(id, Arc::clone(&reader));
        Ok(reader)
    }
}

fn unframe(bytes: &[u8]) -> Result<(u32, &[u8]), CodecError> {
    match bytes {
        [MAGIC, a, b, c, d, datum @ ..] => Ok((u32::from_be_bytes([*a, *b, *c, *d]), datum)),
        other => Err(CodecError::NotFramed(other.len().min(FRAME_BYTES), other.first().copied())),
    }
}

/// Long enough for a person, short enough for a header; apache_avro spells out whole schemas before it
/// says what is wrong.
fn brief(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    text.rsplit_once("}): ").map_or(text.as_str(), |(_, what)| what).chars().take(DETAIL_CHARS_MAX).collect()
}

/// Schemas are few and live as long as the process.
fn reader(text: &str) -> Result<Reader, String> {
    let schema = Schema::parse_str(text).map_err(|error| error.to_string())?;
    let direct = Node::parse(text).ok();
    Ok(Reader { schema: Box::leak(Box::new(schema)), direct })
}

/// (topic, record, schema) of every subject these topics need.
fn subjects(topics: &[Topic]) -> Vec<(String, &'static str, &'static str)> {
    let mut all = Vec::new();
    for topic in topics {
        all.push((topic.name.to_owned(), topic.record, topic.schema));
        if topic.dead_letters {
            all.push((dead_letter_topic(topic.name), DeadLetter::NAME, DeadLetter::SCHEMA));
        }
    }
    all
}

/// The two questions that schema_registry_converter cannot ask without writing.
pub struct RegistryClient {
    url: String,
    http: reqwest::Client,
    authorization: Option<(String, Option<SecretString>)>,
    token: Option<SecretString>,
    converter: SrSettings,
}

impl RegistryClient {
    /// A client of the registry; nothing is asked yet.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`] if the address cannot be used.
    pub fn new(settings: &RegistrySettings) -> Result<Self, CodecError> {
        let away = |detail: String| CodecError::RegistryAway { url: settings.url.clone(), detail };
        let timeout = Duration::from_millis(settings.timeout_ms);
        let http = reqwest::Client::builder().timeout(timeout).build().map_err(|error| away(error.to_string()))?;
        let mut builder = SrSettings::new_builder(settings.url.clone());
        builder.set_timeout(timeout);
        if let Some(token) = &settings.token {
            builder.set_token_authorization(token.expose_secret());
        } else if !settings.username.is_empty() {
            builder.set_basic_authorization(
                &settings.username,
                settings.password.as_ref().map(ExposeSecret::expose_secret),
            );
        }
        let converter = builder.build().map_err(|error| away(error.to_string()))?;
        let authorization =
            (!settings.username.is_empty()).then(|| (settings.username.clone(), settings.password.clone()));
        Ok(Self {
            url: settings.url.trim_end_matches('/').into(),
            http,
            authorization,
            token: settings.token.clone(),
            converter,
        })
    }

    /// The id of a schema under a subject; registers nothing.
    ///
    /// # Errors
    /// [`CodecError::NotRegistered`] when the subject or the schema is unknown there.
    pub async fn lookup(&self, subject: &str, schema: &str) -> Result<u32, CodecError> {
        #[derive(Deserialize)]
        struct Found {
            id: u32,
        }
        let answer = self.post(&format!("/subjects/{subject}"), schema).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Err(CodecError::NotRegistered(subject.into()));
        }
        let found: Found = self.read(answer).await?;
        Ok(found.id)
    }

    /// Registers a schema under a subject and gives its id.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`], with the registry's own words when it refuses.
    pub async fn register(&self, subject: &str, schema: &str) -> Result<u32, CodecError> {
        #[derive(Deserialize)]
        struct Registered {
            id: u32,
        }
        let answer = self.post(&format!("/subjects/{subject}/versions"), schema).await?;
        let registered: Registered = self.read(answer).await?;
        Ok(registered.id)
    }

    /// Sets the compatibility level of a subject.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`].
    pub async fn set_compatibility(&self, subject: &str, level: &str) -> Result<(), CodecError> {
        let request = self.http.put(format!("{}/config/{subject}", self.url));
        let answer = self.send(request, &serde_json::json!({ "compatibility": level })).await?;
        self.read::<serde_json::Value>(answer).await.map(drop)
    }

    /// Whether a schema may become the subject's next version; true for an unknown subject.
    ///
    /// # Errors
    /// [`CodecError::RegistryAway`].
    pub async fn is_compatible(&self, subject: &str, schema: &str) -> Result<bool, CodecError> {
        #[derive(Deserialize)]
        struct Verdict {
            is_compatible: bool,
        }
        let answer = self.post(&format!("/compatibility/subjects/{subject}/versions/latest"), schema).await?;
        if answer.status() == reqwest::StatusCode::NOT_FOUND {
            return Ok(true);
        }
        Ok(self.read::<Verdict>(answer).await?.is_compatible)
    }

    async fn post(&self, path: &str, schema: &str) -> Result<reqwest::Response, CodecError> {
        let request = self.http.post(format!("{}{path}", self.url));
        self.send(request, &serde_json::json!({ "schema": schema, "schemaType": "AVRO" })).await
    }

    async fn send(
        &self,
        mut request: reqwest::RequestBuilder,
        body: &serde_json::Value,
    ) -> Result<reqwest::Response, CodecError> {
        request = request
            .header("content-type", "application/vnd.schemaregistry.v1+json")
            .header("accept", "application/vnd.schemaregistry.v1+json, application/json")
            .body(body.to_string());
        if let Some(token) = &self.token {
            request = request.bearer_auth(token.expose_secret());
        } else if let Some((user, password)) = &self.authorization {
            request = request.basic_auth(user, password.as_ref().map(ExposeSecret::expose_secret));
        }
        request.send().await.map_err(|error| self.away(error.to_string()))
    }

    async fn read<T: serde::de::DeserializeOwned>(&self, answer: reqwest::Response) -> Result<T, CodecError> {
        let status = answer.status();
        let text = answer.text().await.map_err(|error| self.away(error.to_string()))?;
        if !status.is_success() {
            return Err(self.away(format!("status {status}: {text}")));
        }
        serde_json::from_str(&text).map_err(|error| self.away(format!("unexpected answer: {error}")))
    }

    fn away(&self, detail: String) -> CodecError {
        CodecError::RegistryAway { url: self.url.clone(), detail }
    }
}
