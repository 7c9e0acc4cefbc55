-- The timeline of one conversation.
CREATE OR REPLACE VIEW weft.report_timeline_v1 (
    tenant String COMMENT 'Tenant.',
    started_utc DateTime64(3, 'UTC') COMMENT 'Begin, UTC.',
    ended_utc DateTime64(3, 'UTC') COMMENT 'End, UTC.',
    duration_s Float64 COMMENT 'Duration, seconds.',
    stint_id Nullable(UUID) COMMENT 'Stint.',
    segment String COMMENT 'alert, wait, talk, hold, park, focus, wrap_up, flow, bot.',
    outcome String COMMENT 'Alerts: accepted, declined, not_answered, withdrawn; empty otherwise.',
    actor_kind String COMMENT 'agent, flow or queue.',
    actor_id String COMMENT 'Who.',
    queue_id String COMMENT 'Queue; empty: none.'
) SQL SECURITY INVOKER AS
SELECT
    tenant,
    started_at AS started_utc,
    ended_at AS ended_utc,
    dateDiff('millisecond', started_at, ended_at) / 1000 AS duration_s,
    stint_id,
    segment,
    outcome,
    if(agent_id != '', 'agent', if(flow_id != '', 'flow', 'queue')) AS actor_kind,
    multiIf(agent_id != '', agent_id, flow_id != '', flow_id, queue_id) AS actor_id,
    queue_id
FROM weft_raw.segments FINAL
WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND conversation_id = toUUID({conversation:String})
ORDER BY started_at, ended_at, src_offset
COMMENT 'One conversation''s detail. Grain: finished segment.';

CREATE OR REPLACE VIEW weft.report_timeline SQL SECURITY INVOKER AS
SELECT * FROM weft.report_timeline_v1(tenant = {tenant:String}, conversation = {conversation:String})
COMMENT 'One conversation''s detail. Grain: finished segment.';
