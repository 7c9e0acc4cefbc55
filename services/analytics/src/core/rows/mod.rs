//! What goes into ClickHouse: one struct per fact table, one batch of all of them.

mod conversations;
mod routing;

pub use conversations::*;
pub use routing::*;

use schemas::ids::EventId;
use uuid::Uuid;

/// Where a row comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Source {
    /// Topic of the record.
    pub topic: String,
    /// Partition.
    pub partition: i32,
    /// Offset.
    pub offset: i64,
    /// The record's `recorded_at`, milliseconds.
    pub recorded_at: i64,
    /// The record's id.
    pub event_id: EventId,
}

/// A row with its source's columns filled in.
macro_rules! row {
    ($row:ident from $source:expr, $ordinal:expr; $($field:ident: $value:expr,)*) => {
        $row {
            $($field: $value,)*
            recorded_at: $source.recorded_at,
            event_id: uuid::Uuid::from_u128($source.event_id.as_u128()),
            src_topic: $source.topic.clone(),
            src_partition: $source.partition,
            src_offset: $source.offset,
            ordinal: $ordinal,
        }
    };
}

pub(crate) use row;

/// A 128-bit id as ClickHouse has it.
pub(crate) fn uuid(id: u128) -> Uuid {
    Uuid::from_u128(id)
}

/// Text, '' for none.
pub(crate) fn text<T: ToString>(value: Option<&T>) -> String {
    value.map(ToString::to_string).unwrap_or_default()
}

macro_rules! facts {
    ($($field:ident: $row:ident = $table:literal,)*) => {
        /// Rows for every fact table, in the order of their sources.
        #[derive(Debug, Clone, PartialEq, Default)]
        pub struct Facts {
            $(
                #[doc = concat!("`weft_raw.", $table, "`.")]
                pub $field: Vec<$row>,
            )*
        }

        impl Facts {
            /// The fact tables, as named in ClickHouse.
            pub const TABLES: &'static [&'static str] = &[$($table),*];

            /// Adds another record's rows after these.
            pub fn append(&mut self, mut other: Self) {
                $(self.$field.append(&mut other.$field);)*
            }

            /// How many rows.
            pub fn len(&self) -> usize {
                0 $(+ self.$field.len())*
            }

            /// When the oldest and the newest event of these rows were written, milliseconds.
            pub fn recorded_at(&self) -> Option<(i64, i64)> {
                let all = std::iter::empty() $(.chain(self.$field.iter().map(|row| row.recorded_at)))*;
                all.fold(None, |span, at| {
                    let (oldest, newest) = span.unwrap_or((at, at));
                    Some((oldest.min(at), newest.max(at)))
                })
            }

            /// Whether there are none.
            pub fn is_empty(&self) -> bool {
                self.len() == 0
            }
        }
    };
}

facts! {
    messages: MessageRow = "messages",
    conversation_changes: ConversationChangeRow = "conversation_changes",
    turns: TurnRow = "turns",
    deliveries: DeliveryRow = "deliveries",
    entities: EntityRow = "entities",
    queue_entries: QueueEntryRow = "queue_entries",
    queue_visits: QueueVisitRow = "queue_visits",
    parts: PartRow = "parts",
    segments: SegmentRow = "segments",
    service_levels: ServiceLevelRow = "service_levels",
    work_changes: WorkChangeRow = "work_changes",
    agent_changes: AgentChangeRow = "agent_changes",
}
