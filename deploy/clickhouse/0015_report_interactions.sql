-- Interactions: one row per stint.
CREATE OR REPLACE VIEW weft.report_interactions_v1 (
    tenant String COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'Conversation.',
    stint_id UUID COMMENT 'Stint.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    is_open Bool COMMENT 'Whether it is still connected.',
    is_reopen Bool COMMENT 'Whether it re-opened its conversation.',
    media_type String COMMENT 'Media type; always message.',
    message_type String COMMENT 'Channel kind.',
    account_id String COMMENT 'Channel account.',
    customer_key String COMMENT 'Customer.',
    initiator String COMMENT 'Who began it.',
    started_utc DateTime64(3, 'UTC') COMMENT 'Begin, UTC.',
    started_local DateTime64(3) COMMENT 'The same in tz.',
    ended_utc Nullable(DateTime64(3, 'UTC')) COMMENT 'End, UTC; null while open.',
    ended_local Nullable(DateTime64(3)) COMMENT 'The same in tz.',
    first_queue String COMMENT 'Queue of the first visit; empty: none.',
    queues Array(String) COMMENT 'Queues in order of entry.',
    agents Array(String) COMMENT 'Agents in order of connection.',
    skills_requested Array(String) COMMENT 'Skills asked for.',
    skills_removed Nullable(String) COMMENT 'Skills dropped by bullseye rings; null until bullseye exists.',
    is_consult_transfer Bool COMMENT 'Whether a consult was completed; false until transfers exist.',
    total_handle_s Float64 COMMENT 'Handle of the completed parts, seconds.',
    total_wait_s Float64 COMMENT 'Wait of the finished visits, seconds.',
    is_abandoned Bool COMMENT 'Whether a visit was abandoned.',
    wrap_up_codes Array(String) COMMENT 'Wrap-up codes in order.',
    stint_s Nullable(Float64) COMMENT 'Opened → ended, without after-call work, seconds; null while open.',
    messages_in Int64 COMMENT 'Customer messages.',
    messages_out Int64 COMMENT 'Messages to the customer.',
    end_cause String COMMENT 'Why it ended; empty while open.'
) SQL SECURITY INVOKER AS
SELECT
    s.tenant AS tenant,
    s.conversation_id AS conversation_id,
    s.stint_id AS stint_id,
    s.stint_no AS stint_no,
    toBool(isNull(s.ended_at)) AS is_open,
    s.is_reopen AS is_reopen,
    'message' AS media_type,
    s.message_type AS message_type,
    s.account_id AS account_id,
    s.customer_key AS customer_key,
    s.initiator AS initiator,
    s.started_at AS started_utc,
    toTimeZone(s.started_at, {tz:String}) AS started_local,
    s.ended_at AS ended_utc,
    toTimeZone(s.ended_at, {tz:String}) AS ended_local,
    v.first_queue AS first_queue,
    v.queues AS queues,
    p.agents AS agents,
    v.skills_requested AS skills_requested,
    CAST(NULL, 'Nullable(String)') AS skills_removed,
    p.is_consult_transfer AS is_consult_transfer,
    p.total_handle_s AS total_handle_s,
    w.total_wait_s AS total_wait_s,
    w.is_abandoned AS is_abandoned,
    p.wrap_up_codes AS wrap_up_codes,
    dateDiff('millisecond', s.started_at, s.ended_at) / 1000 AS stint_s,
    toInt64(c.messages_in) AS messages_in,
    toInt64(c.messages_out) AS messages_out,
    s.end_cause AS end_cause
FROM (SELECT * FROM weft_raw.stints WHERE ({tenant:String} = '*' OR tenant = {tenant:String})) AS s
LEFT JOIN (
    SELECT tenant, stint_id, argMin(queue_id, visit_no) AS first_queue, arrayMap(x -> x.2, arraySort(groupArray((visit_no, toString(queue_id))))) AS queues,
        arrayDistinct(arrayFlatten(groupArray(arrayMap(x -> toString(x), skills)))) AS skills_requested
    FROM weft_raw.queue_entries FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, stint_id) AS v ON v.tenant = s.tenant AND v.stint_id = s.stint_id
LEFT JOIN (
    SELECT tenant, stint_id, arrayMap(x -> x.2, arraySort(groupArray((part_no, toString(agent_id))))) AS agents,
        max(x.is_consult_transfer) AS is_consult_transfer, sum(talk_ms + hold_ms + acw_ms) / 1000 AS total_handle_s,
        arrayFilter(code -> code != '', arrayMap(x -> x.2, arraySort(groupArray((part_no, toString(wrap_up_code)))))) AS wrap_up_codes
    FROM weft_raw.parts AS x FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, stint_id) AS p ON p.tenant = s.tenant AND p.stint_id = s.stint_id
LEFT JOIN (
    SELECT tenant, stint_id, sum(wait_ms) / 1000 AS total_wait_s, countIf(outcome = 'abandoned') > 0 AS is_abandoned
    FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, stint_id) AS w ON w.tenant = s.tenant AND w.stint_id = s.stint_id
LEFT JOIN (
    SELECT tenant, assumeNotNull(stint_id) AS stint_id, countIf(direction = 'inbound') AS messages_in, countIf(direction = 'outbound') AS messages_out
    FROM weft_raw.messages AS x FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND isNotNull(x.stint_id) GROUP BY tenant, stint_id) AS c ON c.tenant = s.tenant AND c.stint_id = s.stint_id
WHERE multiIf(
    {time_field:String} = 'started', s.started_at >= {from_time:DateTime64(3, 'UTC')} AND s.started_at < {to_time:DateTime64(3, 'UTC')},
    {time_field:String} = 'active', s.started_at < {to_time:DateTime64(3, 'UTC')}
        AND (isNull(s.ended_at) OR s.ended_at >= {from_time:DateTime64(3, 'UTC')}),
    s.ended_at >= {from_time:DateTime64(3, 'UTC')} AND s.ended_at < {to_time:DateTime64(3, 'UTC')})
ORDER BY s.started_at, s.stint_id
COMMENT 'Interactions. Grain: one row per stint, open ones included with time_field active or started.';

CREATE OR REPLACE VIEW weft.report_interactions SQL SECURITY INVOKER AS
SELECT * FROM weft.report_interactions_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, time_field = {time_field:String})
COMMENT 'Interactions. Grain: one row per stint, open ones included with time_field active or started.';
