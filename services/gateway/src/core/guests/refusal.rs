//! What a guest is told that cannot be done.

/// Why not, by the numbers that messengers of this kind know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u16)]
pub enum Code {
    /// The deployment does not offer it.
    Unavailable = 4000,
    /// A file of a type that is not taken.
    FileType = 4001,
    /// A file that is too big, or empty.
    FileSize = 4002,
    /// A file's name that is none.
    FileName = 4004,
    /// A file's name that is too long.
    NameTooLong = 4005,
    /// The session's time is over: begin a new one.
    SessionExpired = 4006,
    /// There is no such session for this deployment and origin: begin a new one.
    SessionNotFound = 4007,
    /// There is no such file of this guest.
    AttachmentNotFound = 4009,
    /// Nothing was put where the file should be.
    AttachmentNotUploaded = 4010,
    /// A text of too many bytes.
    TooLong = 4011,
    /// Custom attributes of too many bytes.
    AttributesTooLarge = 4013,
    /// Who has signed in must sign in again.
    Downgrade = 4017,
    /// Something that is needed is missing or cannot be read.
    Missing = 4020,
    /// The sign-in is not accepted.
    NotSignedIn = 4021,
    /// Too many of them in too short a time.
    TooFast = 4029,
    /// Our own fault; the same again is safe.
    Unexpected = 5000,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 16] = [
        Self::Unavailable,
        Self::FileType,
        Self::FileSize,
        Self::FileName,
        Self::NameTooLong,
        Self::SessionExpired,
        Self::SessionNotFound,
        Self::AttachmentNotFound,
        Self::AttachmentNotUploaded,
        Self::TooLong,
        Self::AttributesTooLarge,
        Self::Downgrade,
        Self::Missing,
        Self::NotSignedIn,
        Self::TooFast,
        Self::Unexpected,
    ];

    /// As it is sent.
    pub const fn number(self) -> u16 {
        self as u16
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// For programs.
    pub code: Code,
    /// For people: what was expected and what came.
    pub detail: String,
    /// When it may be tried again, milliseconds from now.
    pub retry_after_ms: Option<i64>,
}

impl Refusal {
    /// A refusal for good.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Self { code, detail: detail.into(), retry_after_ms: None }
    }

    /// Something missing or unreadable.
    pub fn missing(detail: impl Into<String>) -> Self {
        Self::new(Code::Missing, detail)
    }

    /// A rate that is used up.
    pub fn too_fast(what: &str, retry_after_ms: i64) -> Self {
        Self { code: Code::TooFast, detail: format!("too many {what}"), retry_after_ms: Some(retry_after_ms) }
    }
}
