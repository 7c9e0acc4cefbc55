-- The transcript of one conversation.
CREATE OR REPLACE VIEW weft.report_transcript_v1 (
    tenant String COMMENT 'Tenant.',
    seq Int64 COMMENT 'Sequence number in the conversation, from 1.',
    occurred_utc DateTime64(3, 'UTC') COMMENT 'When it was written, UTC.',
    message_id UUID COMMENT 'Message.',
    stint_id Nullable(UUID) COMMENT 'Stint; null outside any.',
    direction String COMMENT 'inbound or outbound.',
    sender_kind String COMMENT 'customer, agent, bot, system, api, external.',
    sender_id String COMMENT 'Agent, bot or client; empty for customers.',
    content_kind String COMMENT 'text, image …',
    text String COMMENT 'What was written; empty: no text.',
    delivery_state String COMMENT 'Outbound: how far it came; empty before delivery took it up and for inbound.'
) SQL SECURITY INVOKER AS
SELECT
    m.tenant AS tenant,
    m.seq AS seq,
    m.occurred_at AS occurred_utc,
    m.message_id AS message_id,
    m.stint_id AS stint_id,
    m.direction AS direction,
    m.sender_kind AS sender_kind,
    m.sender_id AS sender_id,
    m.content_kind AS content_kind,
    m.text AS text,
    d.delivery_state AS delivery_state
FROM weft_raw.messages AS m FINAL
LEFT JOIN (SELECT tenant, message_id, delivery_state FROM weft_raw.delivery_states WHERE ({tenant:String} = '*' OR tenant = {tenant:String})) AS d
    ON d.tenant = m.tenant AND d.message_id = m.message_id
WHERE ({tenant:String} = '*' OR m.tenant = {tenant:String}) AND m.conversation_id = toUUID({conversation:String})
ORDER BY m.seq
COMMENT 'One conversation''s messages. Grain: message.';

CREATE OR REPLACE VIEW weft.report_transcript SQL SECURITY INVOKER AS
SELECT * FROM weft.report_transcript_v1(tenant = {tenant:String}, conversation = {conversation:String})
COMMENT 'One conversation''s messages. Grain: message.';
