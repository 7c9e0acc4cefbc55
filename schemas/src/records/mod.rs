//! One file per record: the Rust side of `avsc/`. A record with several shapes has `kind` and one
//! nullable field per shape on the wire, and is an enum here.
//!
//! What each field means, its unit and its privacy class stand in the `.avsc` beside it; the test
//! `tests/schemas.rs` keeps both sides in step.
#![expect(missing_docs, reason = "fields are documented once, in the .avsc beside each record")]

mod bots;
mod content;
mod conversation;
mod delivery;
mod facts;
mod guests;
mod inbound;
mod platform;
mod routing;

use serde::Serialize;
use serde::de::DeserializeOwned;

pub use bots::*;
pub use content::*;
pub use conversation::*;
pub use delivery::*;
pub use facts::*;
pub use guests::*;
pub use inbound::*;
pub use platform::*;
pub use routing::*;

/// Milliseconds since the epoch, UTC.
pub type Millis = i64;

/// A value that travels on a topic.
pub trait Record: Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The record's name in the schema, without namespace.
    const NAME: &'static str;
    /// The text of its `.avsc`.
    const SCHEMA: &'static str;
}

/// A record of one shape.
macro_rules! record {
    ($name:ident, $file:literal) => {
        impl $crate::records::Record for $name {
            const NAME: &'static str = stringify!($name);
            const SCHEMA: &'static str = include_str!(concat!("../../avsc/", $file));
        }
    };
}

/// A record of several shapes: `kind` names the one field that is set. The structs inside that
/// mirror the wire bear the record's name, because Avro's serde asks for it.
macro_rules! shaped_record {
    (
        $(#[$doc:meta])*
        $name:ident, $kinds:ident, $file:literal {
            $($field:ident: $type:ty,)*
        }
        $($variant:ident = $wire:ident: $shape:ty,)*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $(pub $field: $type,)*
            pub kind: $kinds,
        }

        #[derive(Debug, Clone, PartialEq)]
        pub enum $kinds {
            $($variant($shape),)*
            /// A kind from a newer writer.
            Unknown(String),
        }

        impl $kinds {
            /// Every kind this build knows, as written on the wire.
            pub const NAMES: &'static [&'static str] = &[$(stringify!($wire)),*];

            /// The kind as written on the wire.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$variant(_) => stringify!($wire),)*
                    Self::Unknown(name) => name,
                }
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                #[derive(serde::Serialize)]
                struct $name<'a> {
                    $($field: &'a $type,)*
                    kind: &'a str,
                    $($wire: Option<&'a $shape>,)*
                }
                let mut wire = $name {
                    $($field: &self.$field,)*
                    kind: self.kind.name(),
                    $($wire: None,)*
                };
                match &self.kind {
                    $($kinds::$variant(shape) => wire.$wire = Some(shape),)*
                    $kinds::Unknown(_) => {}
                }
                wire.serialize(serializer)
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                #[derive(serde::Deserialize)]
                struct $name {
                    $($field: $type,)*
                    kind: String,
                    $(#[serde(default)] $wire: Option<$shape>,)*
                }
                let wire = $name::deserialize(deserializer)?;
                let kind = match wire.kind.as_str() {
                    $(stringify!($wire) => $kinds::$variant(wire.$wire.ok_or_else(|| {
                        serde::de::Error::custom(concat!("kind is `", stringify!($wire), "` but that field is null"))
                    })?),)*
                    _ => $kinds::Unknown(wire.kind),
                };
                Ok(Self { $($field: wire.$field,)* kind })
            }
        }

        record!($name, $file);
    };
}

/// A wire enum: closed in writing, open in reading.
macro_rules! symbols {
    ($($(#[$doc:meta])* $name:ident { $($variant:ident = $wire:literal,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $(#[serde(rename = $wire)] $variant,)*
            /// A symbol from a newer writer.
            #[default]
            #[serde(rename = "unknown", other)]
            Unknown,
        }

        impl $name {
            /// Every symbol, `unknown` last.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)* Self::Unknown];

            /// The symbol as written on the wire.
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $wire,)*
                    Self::Unknown => "unknown",
                }
            }
        }

        impl schemars::JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                let known: &[&str] = &[$($wire,)*];
                schemars::json_schema!({ "type": "string", "enum": known })
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = ();

            fn from_str(text: &str) -> Result<Self, ()> {
                Self::ALL.iter().copied().find(|symbol| symbol.as_str() == text).ok_or(())
            }
        }
    )*};
}

use {record, shaped_record, symbols};
