-- What several reports need: names, stints, conversations, the interval a moment falls into.

-- Start of the interval of `t` in zone `tz`, as an instant, never before `from_time`. Days, weeks
-- (from Monday) and months begin at local midnight; on the night of a clock change an hour that
-- happens twice is two intervals.
CREATE OR REPLACE FUNCTION weft_interval_start AS (t, interval, tz, from_time) -> greatest(
    toDateTime(toTimeZone(multiIf(
        interval = '15m', toDateTime(t) - ((toMinute(toTimeZone(t, tz)) % 15) * 60 + toSecond(t)),
        interval = '30m', toDateTime(t) - ((toMinute(toTimeZone(t, tz)) % 30) * 60 + toSecond(t)),
        interval = '1h', toDateTime(t) - (toMinute(toTimeZone(t, tz)) * 60 + toSecond(t)),
        interval = 'day', toTimeZone(toDateTime(toDate(toTimeZone(t, tz)), tz), 'UTC'),
        interval = 'week', toTimeZone(toDateTime(toMonday(toTimeZone(t, tz)), tz), 'UTC'),
        interval = 'month', toTimeZone(toDateTime(toStartOfMonth(toTimeZone(t, tz)), tz), 'UTC'),
        toDateTime(from_time)), 'UTC'), 'UTC'),
    toDateTime(from_time, 'UTC'));

CREATE OR REPLACE VIEW weft.queues (
    tenant String COMMENT 'Tenant.',
    queue_id String COMMENT 'Queue.',
    queue_name String COMMENT 'What people call it now.',
    members Array(String) COMMENT 'Agents that are members now.'
) SQL SECURITY INVOKER AS
SELECT tenant, id AS queue_id, argMax(name, version) AS queue_name,
    JSONExtract(argMax(spec, version), 'members', 'Array(String)') AS members
FROM weft_raw.entities FINAL WHERE kind = 'Queue' GROUP BY tenant, id
COMMENT 'One row per queue: its present name and members.';

CREATE OR REPLACE VIEW weft.agents (
    tenant String COMMENT 'Tenant.',
    agent_id String COMMENT 'Agent.',
    agent_name String COMMENT 'What people call them now.'
) SQL SECURITY INVOKER AS
SELECT tenant, id AS agent_id, argMax(name, version) AS agent_name
FROM weft_raw.entities FINAL WHERE kind = 'Agent' GROUP BY tenant, id
COMMENT 'One row per agent: their present name.';

CREATE OR REPLACE VIEW weft_raw.stints (
    tenant String COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'Conversation.',
    stint_id UUID COMMENT 'Stint.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    message_type String COMMENT 'Channel kind.',
    account_id String COMMENT 'Channel account.',
    customer_key String COMMENT 'Customer.',
    started_at DateTime64(3, 'UTC') COMMENT 'When it began, UTC.',
    ended_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When it was disconnected, UTC; null while open.',
    end_cause String COMMENT 'Why it ended; empty while open.',
    initiator String COMMENT 'Who began it.',
    is_reopen Bool COMMENT 'Whether it re-opened its conversation.'
) SQL SECURITY INVOKER AS
SELECT tenant, conversation_id, assumeNotNull(stint_id) AS stint_id, max(c.stint_no) AS stint_no,
    any(channel) AS message_type, any(account_id) AS account_id, any(customer_key) AS customer_key,
    minIf(occurred_at, change IN ('opened', 'reopened')) AS started_at,
    if(countIf(change = 'stint_ended') > 0, maxIf(occurred_at, change = 'stint_ended'), NULL) AS ended_at,
    anyIf(cause, change = 'stint_ended') AS end_cause,
    anyIf(c.initiator, change IN ('opened', 'reopened')) AS initiator,
    countIf(change = 'reopened') > 0 AS is_reopen
FROM weft_raw.conversation_changes AS c FINAL WHERE isNotNull(stint_id)
GROUP BY tenant, conversation_id, stint_id
HAVING countIf(change IN ('opened', 'reopened')) > 0
COMMENT 'One row per stint.';

CREATE OR REPLACE VIEW weft_raw.conversation_spans (
    tenant String COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'Conversation.',
    opened_at DateTime64(3, 'UTC') COMMENT 'When it was opened, UTC.',
    closed_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When its window ended, UTC; null before.',
    predecessor Nullable(UUID) COMMENT 'The customer''s former conversation; null if none.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    entry_point String COMMENT 'Reference the customer came by; empty: none.',
    conversation_initiator String COMMENT 'Who began the conversation.'
) SQL SECURITY INVOKER AS
SELECT tenant, conversation_id, minIf(occurred_at, change = 'opened') AS opened_at,
    if(countIf(change = 'closed') > 0, maxIf(occurred_at, change = 'closed'), NULL) AS closed_at,
    anyIf(c.predecessor, change = 'opened') AS predecessor,
    anyIf(c.is_new_customer, change = 'opened') AS is_new_customer,
    anyIf(c.entry_point, change = 'opened') AS entry_point,
    anyIf(c.initiator, change = 'opened') AS conversation_initiator
FROM weft_raw.conversation_changes AS c FINAL
GROUP BY tenant, conversation_id
COMMENT 'One row per conversation.';

CREATE OR REPLACE VIEW weft_raw.delivery_states (
    tenant String COMMENT 'Tenant.',
    message_id UUID COMMENT 'Outbound message.',
    delivery_state String COMMENT 'The farthest state: read, delivered, sent, failed, refused, exhausted, ambiguous, retrying, claimed.',
    is_failed Bool COMMENT 'Whether it failed for good and no receipt proved otherwise.'
) SQL SECURITY INVOKER AS
SELECT tenant, message_id,
    multiIf(has(groupUniqArray(state) AS states, 'read'), 'read', has(states, 'delivered'), 'delivered',
        has(states, 'failed'), 'failed', has(states, 'refused'), 'refused', has(states, 'exhausted'), 'exhausted',
        has(states, 'sent'), 'sent', argMax(state, (occurred_at, src_offset))) AS delivery_state,
    delivery_state IN ('failed', 'refused', 'exhausted') AS is_failed
FROM weft_raw.deliveries FINAL GROUP BY tenant, message_id
COMMENT 'One row per outbound message that delivery has taken up.';
