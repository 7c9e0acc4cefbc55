//! The servers: Kafka, the schema registry, ClickHouse. All calls block.

use reqwest::StatusCode;
use schemas::codec::{Codec, CodecError, RegistryClient};
use schemas::topics::Topic;
use secrecy::ExposeSecret;
use serde::de::DeserializeOwned;
use stream::{Admin, Fault, Follow, InputRecord, Publisher};
use tokio::runtime::Runtime;

use crate::Failure;
use crate::config::{ClickHouseSettings, Config};

const CLIENT: &str = "weft-cli";

/// Connections to everything, made when they are asked for.
pub(crate) struct Reach {
    pub(crate) config: Config,
    runtime: Runtime,
}

impl Reach {
    pub(crate) fn new(config: Config) -> Result<Self, Failure> {
        config.kafka.check().map_err(|error| Failure::Usage(error.to_string()))?;
        Ok(Self { config, runtime: Runtime::new()? })
    }

    pub(crate) fn wait<F: Future>(&self, future: F) -> F::Output {
        self.runtime.block_on(future)
    }

    /// Waits a while.
    pub(crate) fn pause(&self, duration: std::time::Duration) {
        self.runtime.block_on(async { tokio::time::sleep(duration).await });
    }

    pub(crate) fn admin(&self) -> Result<Admin, Failure> {
        Admin::new(&self.config.kafka).map_err(|fault| self.kafka_away(&fault))
    }

    pub(crate) fn kafka_away(&self, fault: &Fault) -> Failure {
        let bootstrap = &self.config.kafka.bootstrap;
        Failure::Away(format!(
            "{fault}\n  Kafka is looked for at {bootstrap}; `make up` starts one here, WEFT_KAFKA__BOOTSTRAP names another"
        ))
    }

    /// Reads what is in these topics now, committed records only.
    pub(crate) fn read(&self, topics: &[&str], mut handle: impl FnMut(InputRecord<'_>)) -> Result<(), Failure> {
        let there = self.admin()?.partitions().map_err(|fault| self.kafka_away(&fault))?;
        if let Some(missing) = topics.iter().find(|topic| !there.contains_key(**topic)) {
            return Err(Failure::Wrong(format!("topic {missing} does not exist; `weft topics apply` creates it")));
        }
        Follow::new(topics.iter().copied())
            .to_end(&self.config.kafka, CLIENT, &mut handle)
            .map_err(|fault| self.kafka_away(&fault))
    }

    pub(crate) fn publisher(&self) -> Result<Publisher, Failure> {
        let _inside = self.runtime.enter();
        Publisher::connect(&self.config.kafka, CLIENT).map_err(|fault| self.kafka_away(&fault))
    }

    pub(crate) fn codec(&self, topics: &[Topic]) -> Result<Codec, Failure> {
        self.wait(Codec::connect(&self.config.schema_registry, topics)).map_err(|error| registry(&error))
    }

    pub(crate) fn registry(&self) -> Result<RegistryClient, Failure> {
        RegistryClient::new(&self.config.schema_registry).map_err(|error| registry(&error))
    }

    pub(crate) fn clickhouse(&self) -> ClickHouse<'_> {
        ClickHouse { reach: self, settings: &self.config.clickhouse, http: reqwest::Client::new() }
    }
}

/// What a codec's or registry's error means for the exit code.
pub(crate) fn registry(error: &CodecError) -> Failure {
    let text = error.to_string();
    match error {
        CodecError::RegistryAway { .. } => Failure::Away(format!("{text}; WEFT_SCHEMA_REGISTRY__URL names another")),
        CodecError::NotFramed(..)
        | CodecError::Undecodable { .. }
        | CodecError::Unencodable { .. }
        | CodecError::UnknownSchema(_)
        | CodecError::NotRegistered(_) => Failure::Wrong(text),
    }
}

/// ClickHouse's HTTP interface.
pub(crate) struct ClickHouse<'a> {
    reach: &'a Reach,
    settings: &'a ClickHouseSettings,
    http: reqwest::Client,
}

impl ClickHouse<'_> {
    /// The answer's bytes. Refusals are [`Failure::Wrong`] with ClickHouse's own words.
    pub(crate) fn ask(&self, statement: &str) -> Result<Vec<u8>, Failure> {
        self.reach.wait(async {
            let mut request = self.http.post(&self.settings.url).body(statement.to_owned());
            if !self.settings.username.is_empty() {
                request = request.header("X-ClickHouse-User", &self.settings.username);
            }
            if let Some(password) = &self.settings.password {
                request = request.header("X-ClickHouse-Key", password.expose_secret());
            }
            let answer = request.send().await.map_err(|error| self.away(&error))?;
            let status = answer.status();
            let body = answer.bytes().await.map_err(|error| self.away(&error))?;
            if status == StatusCode::OK {
                return Ok(body.to_vec());
            }
            Err(Failure::Wrong(format!("ClickHouse: {}", String::from_utf8_lossy(&body).trim())))
        })
    }

    /// The rows of a statement that has no FORMAT of its own.
    pub(crate) fn rows<T: DeserializeOwned>(&self, statement: &str) -> Result<Vec<T>, Failure> {
        let answer = self
            .ask(&format!("{statement}\nSETTINGS output_format_json_quote_64bit_integers = 0\nFORMAT JSONEachRow"))?;
        let lines = answer.split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
        lines
            .map(|line| {
                serde_json::from_slice(line).map_err(|error| Failure::Wrong(format!("ClickHouse's answer: {error}")))
            })
            .collect()
    }

    fn away(&self, error: &reqwest::Error) -> Failure {
        let url = &self.settings.url;
        Failure::Away(format!("ClickHouse at {url} cannot be reached ({error}); WEFT_CLICKHOUSE__URL names another"))
    }
}

/// A text as ClickHouse reads it between quotes.
pub(crate) fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}
