-- Facts: append-only, one row per source coordinate and ordinal; a repeated insert is dropped by its
-- token, a late one collapses by ReplacingMergeTree. Durations in milliseconds, times in UTC.
CREATE TABLE IF NOT EXISTS weft_raw.messages (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id Nullable(UUID) COMMENT 'One connected period of the conversation; null outside any.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    seq Int64 COMMENT 'Sequence number in the conversation, from 1, without gaps.',
    message_id UUID COMMENT 'The message.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    direction LowCardinality(String) COMMENT 'inbound or outbound.',
    sender_kind LowCardinality(String) COMMENT 'customer, agent, bot, system, api, external.',
    sender_id String COMMENT 'Agent, bot or client; '''' for customers.',
    content_kind LowCardinality(String) COMMENT 'text, image … as in the schema.',
    text String COMMENT 'What was written; '''' = no text. Personal content.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, conversation_id, seq, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per message, in or out.';

CREATE TABLE IF NOT EXISTS weft_raw.conversation_changes (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id Nullable(UUID) COMMENT 'One connected period of the conversation; null outside any.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    change LowCardinality(String) COMMENT 'opened, reopened, owner_changed, stint_ended, closed.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    predecessor Nullable(UUID) COMMENT 'opened: the customer''s former conversation; null if none.',
    initiator LowCardinality(String) COMMENT 'opened, reopened: who began: customer, agent, api, external.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    entry_point LowCardinality(String) COMMENT 'Reference of the link, number or code the customer came by; '''' = none.',
    owner_kind LowCardinality(String) COMMENT 'owner_changed: flow, queue, agent, none.',
    owner_id String COMMENT 'owner_changed: the owner.',
    owner_epoch Int64 COMMENT 'owner_changed: rises per conversation.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    cause LowCardinality(String) COMMENT 'Why; a closed set, see the schema''s enum Cause.',
    began_at Nullable(DateTime64(3, 'UTC')) COMMENT 'stint_ended: begin of the stint; closed: opening of the conversation.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, conversation_id, occurred_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per opened, reopened, owner_changed, stint_ended, closed.';

CREATE TABLE IF NOT EXISTS weft_raw.turns (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id Nullable(UUID) COMMENT 'One connected period of the conversation; null outside any.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    who LowCardinality(String) COMMENT 'Whose answer ended it: agent, customer, bot.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.' CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(3, 'UTC') COMMENT 'When it ended, UTC.' CODEC(Delta, ZSTD(1)),
    business_ms Nullable(Int64) COMMENT 'The part of it inside the queue''s schedule, milliseconds; null until queues have schedules.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    is_first_response Bool COMMENT 'Whether it is the stint''s first human reply.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, conversation_id, started_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per finished turn: from the first message one side had not answered to its answer.';

CREATE TABLE IF NOT EXISTS weft_raw.deliveries (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    message_id UUID COMMENT 'The message.',
    conversation_id Nullable(UUID) COMMENT 'Conversation.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    state LowCardinality(String) COMMENT 'claimed, sent, ambiguous, retrying, delivered, read, failed, refused, exhausted.',
    attempt_no Int64 COMMENT 'Number of the try, from 1.',
    reason LowCardinality(String) COMMENT 'Why, for failed, refused, retrying, ambiguous, exhausted; '''' otherwise.',
    provider_code LowCardinality(String) COMMENT 'The provider''s error code; '''' = none.',
    provider_message_id String COMMENT 'The provider''s id of the message; '''' = not known yet.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, message_id, occurred_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per change of a send''s state.';

CREATE TABLE IF NOT EXISTS weft_raw.entities (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    kind LowCardinality(String) COMMENT 'Queue, Agent, WrapUpCode …',
    id String COMMENT 'Id of the document.',
    version Int64 COMMENT 'Rises with every change.',
    name String COMMENT 'What people call it; '''' = unnamed.',
    spec String COMMENT 'The document''s spec as JSON; secrets are references, never values.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, kind, id, version, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per applied version of a configuration document; the names in reports come from here; a removed document keeps its last name.';

CREATE TABLE IF NOT EXISTS weft_raw.progress (
    src_topic LowCardinality(String) COMMENT 'Topic.',
    src_partition Int32 COMMENT 'Partition.',
    next_offset Int64 COMMENT 'Everything before this offset is in the facts.',
    complete_until DateTime64(3, 'UTC') COMMENT 'Timestamp of the last record before it, UTC.',
    written_at DateTime64(3, 'UTC') DEFAULT now64(3) COMMENT 'When the row was written, UTC.'
) ENGINE = ReplacingMergeTree(next_offset)
ORDER BY (src_topic, src_partition)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'How far each source partition has been read; one row per partition after merging.';
