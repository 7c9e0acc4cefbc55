-- Facts: append-only, one row per source coordinate and ordinal; a repeated insert is dropped by its
-- token, a late one collapses by ReplacingMergeTree. Durations in milliseconds, times in UTC.
CREATE TABLE IF NOT EXISTS weft_raw.queue_entries (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id UUID COMMENT 'One connected period of the conversation.',
    visit_no Int64 COMMENT 'Number of the visit in its stint, from 1.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    skills Array(LowCardinality(String)) COMMENT 'Skills asked for.',
    language LowCardinality(String) COMMENT 'Language asked for; '''' = none.',
    priority Int64 COMMENT 'Priority asked for, minutes of head start.',
    cause LowCardinality(String) COMMENT 'Why; a closed set, see the schema''s enum Cause.',
    position Int64 COMMENT 'Position in the queue on entry, from 1.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, queue_id, occurred_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per entry into a queue: one offered.';

CREATE TABLE IF NOT EXISTS weft_raw.queue_visits (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id UUID COMMENT 'One connected period of the conversation.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    visit_no Int64 COMMENT 'Number of the visit in its stint, from 1.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.' CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(3, 'UTC') COMMENT 'When it ended, UTC.' CODEC(Delta, ZSTD(1)),
    outcome LowCardinality(String) COMMENT 'answered, abandoned, flowed_out.',
    cause LowCardinality(String) COMMENT 'Why; a closed set, see the schema''s enum Cause.',
    wait_ms Int64 COMMENT 'Entry to this queue → agent connected, abandoned or flowed out, milliseconds.',
    business_wait_ms Nullable(Int64) COMMENT 'The same inside the queue''s schedule; null until queues have schedules.',
    service_level_met Nullable(Bool) COMMENT 'Whether the target was met; null when the queue''s clock is not `accept` or the visit does not count.',
    is_short_abandon Bool COMMENT 'Abandoned sooner than the queue''s short-abandon threshold.',
    offers Int64 COMMENT 'Offers to agents during the visit.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    skills Array(LowCardinality(String)) COMMENT 'Skills asked for.',
    language LowCardinality(String) COMMENT 'Language asked for; '''' = none.',
    priority Int64 COMMENT 'Priority asked for, minutes of head start.',
    routing_method LowCardinality(String) COMMENT 'Routing method of the queue when it decided.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    is_reopen Bool COMMENT 'Whether the stint re-opened its conversation.',
    entry_point LowCardinality(String) COMMENT 'Reference of the link, number or code the customer came by; '''' = none.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, queue_id, ended_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per finished stay in one queue.';

CREATE TABLE IF NOT EXISTS weft_raw.parts (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    stint_id UUID COMMENT 'One connected period of the conversation.',
    part_id UUID COMMENT 'The part.',
    part_no Int64 COMMENT 'Number of the part in its stint, from 1.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    started_at DateTime64(3, 'UTC') COMMENT 'When the agent was connected, UTC.' CODEC(Delta, ZSTD(1)),
    disconnected_at DateTime64(3, 'UTC') COMMENT 'When the conversation left the agent, UTC.' CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(3, 'UTC') COMMENT 'When after-call work was done, UTC.' CODEC(Delta, ZSTD(1)),
    wait_ms Int64 COMMENT 'Wait of the queue visit that the part answered, milliseconds; 0 if none.',
    alert_ms Int64 COMMENT 'Alerting of the accepted offer, milliseconds.',
    talk_ms Int64 COMMENT 'Connected − hold − parked, milliseconds.',
    hold_ms Int64 COMMENT 'Explicit hold, milliseconds.',
    acw_ms Int64 COMMENT 'After-call work, milliseconds.',
    focused_ms Int64 COMMENT 'The agent had it open or typed, milliseconds; 0 until focus is told.',
    parked_ms Int64 COMMENT 'Parked, milliseconds; 0 until parking exists.',
    waiting_for_customer_ms Int64 COMMENT 'The agent had written last, milliseconds.',
    waiting_for_agent_ms Int64 COMMENT 'The customer had written last, milliseconds.',
    messages_in Int64 COMMENT 'Customer messages during the part.',
    messages_out Int64 COMMENT 'The agent''s messages.',
    first_response_ms Nullable(Int64) COMMENT 'From the first unanswered customer message to this agent''s first reply, milliseconds; null if none.',
    response_ms Int64 COMMENT 'Sum over the agent''s turns, milliseconds.',
    response_count Int64 COMMENT 'The agent''s turns.',
    transfer_kind LowCardinality(String) COMMENT 'blind, consult; '''' = not ended by this agent''s transfer.',
    is_consult_transfer Bool COMMENT 'Whether a consult was completed.',
    is_answered Bool COMMENT 'Whether the part answered a queue visit (false: agent to agent).',
    wrap_up_code LowCardinality(String) COMMENT 'Wrap-up code; '''' = none, TIMEOUT = none in time.',
    end_cause LowCardinality(String) COMMENT 'Why it ended.',
    service_level_met Nullable(Bool) COMMENT 'Of the visit that the part answered; null when it does not count.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    customer_key String COMMENT 'Key of the customer: 32 hex digits, no personal data.',
    skills Array(LowCardinality(String)) COMMENT 'Skills asked for.',
    language LowCardinality(String) COMMENT 'Language asked for; '''' = none.',
    priority Int64 COMMENT 'Priority asked for, minutes of head start.',
    routing_method LowCardinality(String) COMMENT 'Routing method of the queue when it decided.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    is_reopen Bool COMMENT 'Whether the stint re-opened its conversation.',
    entry_point LowCardinality(String) COMMENT 'Reference of the link, number or code the customer came by; '''' = none.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, agent_id, ended_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per agent''s finished part, after-call work included.';

CREATE TABLE IF NOT EXISTS weft_raw.segments (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    segment LowCardinality(String) COMMENT 'alert, wait, talk, hold, park, focus, wrap_up, flow, bot, agent_state.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    conversation_id Nullable(UUID) COMMENT 'Conversation; null for agent states.',
    stint_id Nullable(UUID) COMMENT 'One connected period of the conversation; null outside any.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.' CODEC(Delta, ZSTD(1)),
    ended_at DateTime64(3, 'UTC') COMMENT 'When it ended, UTC.' CODEC(Delta, ZSTD(1)),
    business_ms Nullable(Int64) COMMENT 'The part of it inside the queue''s schedule, milliseconds; null until queues have schedules.',
    outcome LowCardinality(String) COMMENT 'Alerts: accepted, declined, not_answered, withdrawn; '''' otherwise.',
    presence LowCardinality(String) COMMENT 'Agent states: presence; '''' otherwise.',
    routing_status LowCardinality(String) COMMENT 'Agent states: routing status; '''' otherwise.',
    flow_id LowCardinality(String) COMMENT 'Flow segments: the flow; '''' otherwise.',
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
ORDER BY (tenant, segment, ended_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per finished segment of an interaction or of an agent''s state.';

CREATE TABLE IF NOT EXISTS weft_raw.service_levels (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    conversation_id Nullable(UUID) COMMENT 'Conversation.',
    stint_id Nullable(UUID) COMMENT 'One connected period of the conversation; null outside any.',
    met Bool COMMENT 'Whether the target was met.',
    channel LowCardinality(String) COMMENT 'Channel kind: whatsapp, facebook, instagram, twitter, open, web.',
    account_id LowCardinality(String) COMMENT 'Channel account.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, queue_id, occurred_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per counted service-level decision of queues whose clock is first_response or every_response.';

CREATE TABLE IF NOT EXISTS weft_raw.work_changes (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    stint_id UUID COMMENT 'One connected period of the conversation.',
    conversation_id UUID COMMENT 'The lasting thread of one customer.',
    part_id Nullable(UUID) COMMENT 'One agent''s share of the stint; null where no agent is involved.',
    change LowCardinality(String) COMMENT 'queued, offered, declined, not_answered, withdrawn, accepted, connected, held, resumed, parked, unparked, abandoned, flowed_out, wrap_up_started, wrapped_up, part_ended, ended.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    queue_id LowCardinality(String) COMMENT 'Queue; '''' = none.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
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
ORDER BY (tenant, stint_id, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per step of a stint through routing, to know what is open now.';

CREATE TABLE IF NOT EXISTS weft_raw.agent_changes (
    tenant LowCardinality(String) COMMENT 'Tenant.',
    agent_id LowCardinality(String) COMMENT 'Agent; '''' = none.',
    occurred_at DateTime64(3, 'UTC') COMMENT 'When it happened, by its source, UTC.' CODEC(Delta, ZSTD(1)),
    presence LowCardinality(String) COMMENT 'Presence from then on.',
    secondary String COMMENT 'Secondary reason; '''' = none.',
    routing_status LowCardinality(String) COMMENT 'Routing status from then on.',
    is_connected Bool COMMENT 'Whether a gateway holds the agent''s connection.',
    load Float64 COMMENT 'Load from then on, in interactions.',
    recorded_at DateTime64(3, 'UTC') COMMENT 'When the event was written to its topic (task time of the writer), UTC.' CODEC(Delta, ZSTD(1)),
    event_id UUID COMMENT 'Id of the event this row was made from; the same after a replay.',
    src_topic LowCardinality(String) COMMENT 'Topic of the source record.',
    src_partition Int32 COMMENT 'Partition of the source record.',
    src_offset Int64 COMMENT 'Offset of the source record.',
    ordinal UInt16 COMMENT 'Number of this row among those of its source record, from 0.'
) ENGINE = ReplacingMergeTree
ORDER BY (tenant, agent_id, occurred_at, src_topic, src_partition, src_offset, ordinal)
SETTINGS non_replicated_deduplication_window = 1000
COMMENT 'One row per change of an agent''s presence, routing status or connection.';
