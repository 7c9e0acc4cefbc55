-- The life of conversations; transcripts.
CREATE OR REPLACE VIEW weft.report_conversations_v1 (
    tenant String COMMENT 'Tenant.',
    conversation_id UUID COMMENT 'Conversation.',
    predecessor Nullable(UUID) COMMENT 'The customer''s former conversation; null if none.',
    message_type String COMMENT 'Channel kind.',
    account_id String COMMENT 'Channel account.',
    customer_key String COMMENT 'Customer.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    initiator String COMMENT 'Who began it.',
    entry_point String COMMENT 'Reference the customer came by; empty: none.',
    state String COMMENT 'connected (a live stint), disconnected (within its window), closed.',
    opened_utc DateTime64(3, 'UTC') COMMENT 'Opened, UTC.',
    opened_local DateTime64(3) COMMENT 'The same in tz.',
    closed_utc Nullable(DateTime64(3, 'UTC')) COMMENT 'Window ended, UTC; null before.',
    closed_local Nullable(DateTime64(3)) COMMENT 'The same in tz.',
    stints Int64 COMMENT 'Stints so far.',
    messages_in Int64 COMMENT 'Customer messages.',
    messages_out Int64 COMMENT 'Messages to the customer.',
    conversation_s Nullable(Float64) COMMENT 'Opened → window ended, seconds; null before.'
) SQL SECURITY INVOKER AS
SELECT
    c.tenant AS tenant,
    c.conversation_id AS conversation_id,
    c.predecessor AS predecessor,
    s.message_type AS message_type,
    s.account_id AS account_id,
    s.customer_key AS customer_key,
    c.is_new_customer AS is_new_customer,
    c.conversation_initiator AS initiator,
    c.entry_point AS entry_point,
    multiIf(isNotNull(c.closed_at), 'closed', s.open_stints > 0, 'connected', 'disconnected') AS state,
    c.opened_at AS opened_utc,
    toTimeZone(c.opened_at, {tz:String}) AS opened_local,
    c.closed_at AS closed_utc,
    toTimeZone(c.closed_at, {tz:String}) AS closed_local,
    toInt64(s.stints) AS stints,
    toInt64(n.messages_in) AS messages_in,
    toInt64(n.messages_out) AS messages_out,
    dateDiff('millisecond', c.opened_at, c.closed_at) / 1000 AS conversation_s
FROM (SELECT * FROM weft_raw.conversation_spans WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND opened_at >= {from_time:DateTime64(3, 'UTC')} AND opened_at < {to_time:DateTime64(3, 'UTC')}) AS c
LEFT JOIN (
    SELECT tenant, conversation_id, any(message_type) AS message_type, any(account_id) AS account_id, any(customer_key) AS customer_key,
        count() AS stints, countIf(isNull(ended_at)) AS open_stints
    FROM weft_raw.stints WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, conversation_id) AS s ON s.tenant = c.tenant AND s.conversation_id = c.conversation_id
LEFT JOIN (
    SELECT tenant, conversation_id, countIf(direction = 'inbound') AS messages_in, countIf(direction = 'outbound') AS messages_out
    FROM weft_raw.messages FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, conversation_id) AS n ON n.tenant = c.tenant AND n.conversation_id = c.conversation_id
ORDER BY c.opened_at, c.conversation_id
COMMENT 'Conversations opened in the span. Grain: conversation.';

CREATE OR REPLACE VIEW weft.report_conversations SQL SECURITY INVOKER AS
SELECT * FROM weft.report_conversations_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String})
COMMENT 'Conversations opened in the span. Grain: conversation.';
