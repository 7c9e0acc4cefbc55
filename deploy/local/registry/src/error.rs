//! The protocol's errors: an HTTP status, Confluent's code, a sentence.

use axum::{
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};

use crate::{http::CONTENT_TYPE, store::StoreError};

/// What a request can be refused with; codes as in Confluent's API reference.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("Subject '{0}' not found.")]
    SubjectNotFound(String),
    #[error("Version {0} not found.")]
    VersionNotFound(String),
    #[error("Schema not found")]
    SchemaNotFound,
    #[error("Subject '{0}' does not have subject-level compatibility configured")]
    LevelNotConfigured(String),
    #[error("Schema being registered is incompatible with an earlier schema for subject '{subject}': {}", reasons.join("; "))]
    Incompatible { subject: String, reasons: Vec<String> },
    #[error("Invalid schema: {0}")]
    InvalidSchema(String),
    #[error(
        "The specified version '{0}' is not a valid version id. Allowed values are between [1, 2^31-1] and the string \"latest\""
    )]
    InvalidVersion(String),
    #[error(
        "Invalid compatibility level '{0}'. Valid values are NONE, BACKWARD, FORWARD, FULL, BACKWARD_TRANSITIVE, FORWARD_TRANSITIVE and FULL_TRANSITIVE"
    )]
    InvalidLevel(String),
    #[error("Unprocessable request body: {0}")]
    InvalidBody(String),
    #[error("HTTP 406 Not Acceptable")]
    NotAcceptable,
    #[error("HTTP 404 Not Found")]
    NoSuchRoute,
    #[error("Error in the backend data store: {0}")]
    Store(#[from] StoreError),
}

impl Refusal {
    fn code(&self) -> u32 {
        match self {
            Self::SubjectNotFound(_) => 40401,
            Self::VersionNotFound(_) => 40402,
            Self::SchemaNotFound => 40403,
            Self::LevelNotConfigured(_) => 40408,
            Self::Incompatible { .. } => 409,
            Self::InvalidSchema(_) => 42201,
            Self::InvalidVersion(_) => 42202,
            Self::InvalidLevel(_) => 42203,
            Self::InvalidBody(_) => 422,
            Self::NotAcceptable => 406,
            Self::NoSuchRoute => 404,
            Self::Store(_) => 50001,
        }
    }

    fn status(&self) -> StatusCode {
        let code = self.code();
        let status = if code > 999 { code / 100 } else { code };
        u16::try_from(status)
            .ok()
            .and_then(|status| StatusCode::from_u16(status).ok())
            .unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        if let Self::Store(cause) = &self {
            tracing::error!(%cause, "the store cannot be written");
        }
        let body = serde_json::json!({"error_code": self.code(), "message": self.to_string()});
        (self.status(), [(header::CONTENT_TYPE, CONTENT_TYPE)], body.to_string()).into_response()
    }
}
