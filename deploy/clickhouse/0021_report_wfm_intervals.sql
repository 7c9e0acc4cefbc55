-- The feed for workforce management.
CREATE OR REPLACE VIEW weft.report_wfm_intervals_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the 15 minutes, UTC.',
    queue_id String COMMENT 'Queue.',
    media_type String COMMENT 'Media type; always message.',
    message_type String COMMENT 'Channel kind.',
    opening_backlog Int64 COMMENT 'Visits waiting when the interval began.',
    offered Int64 COMMENT 'Entered the queue.',
    handled Int64 COMMENT 'Parts completed.',
    abandoned Int64 COMMENT 'Abandoned.',
    aht_s Nullable(Float64) COMMENT 'Handle time of completed parts / handled, seconds; null without.',
    focused_s Nullable(Float64) COMMENT 'Focused time, seconds; null until focus is told.',
    agent_turns Int64 COMMENT 'Agents'' answered turns.',
    concurrency_avg Nullable(Float64) COMMENT 'Interactions per busy agent; null until computed per queue.',
    service_level_ratio Nullable(Float64) COMMENT 'Service level, 0–1; null without.'
) SQL SECURITY INVOKER AS
WITH performance AS (
    SELECT * FROM weft.report_queue_performance_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')},
        to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = '15m', basis = {basis:String})),
turns AS (
    SELECT tenant, queue_id, channel AS message_type, toDateTime(toStartOfInterval(ended_at, toIntervalMinute(15)), 'UTC') AS slot, count() AS turns
    FROM weft_raw.turns FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND who = 'agent' AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')} GROUP BY tenant, queue_id, message_type, slot),
visits AS (
    SELECT e.tenant AS tenant, e.queue_id AS queue_id, e.channel AS message_type, e.occurred_at AS entered, v.ended_at AS ended
    FROM weft_raw.queue_entries AS e FINAL
    LEFT JOIN (SELECT tenant, stint_id, visit_no, toNullable(ended_at) AS ended_at FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String})) AS v
        ON v.tenant = e.tenant AND v.stint_id = e.stint_id AND v.visit_no = e.visit_no
    WHERE ({tenant:String} = '*' OR e.tenant = {tenant:String}) AND e.occurred_at < {to_time:DateTime64(3, 'UTC')}),
backlog AS (
    SELECT p.tenant AS tenant, p.queue_id AS queue_id, p.message_type AS message_type, p.interval_start_utc AS slot,
        countIf(v.entered < slot AND (isNull(v.ended) OR v.ended >= slot)) AS waiting
    FROM performance AS p
    INNER JOIN visits AS v ON v.tenant = p.tenant AND v.queue_id = p.queue_id AND v.message_type = p.message_type
    GROUP BY tenant, queue_id, message_type, slot)
SELECT
    p.tenant AS tenant,
    p.interval_start_utc AS interval_start_utc,
    p.queue_id AS queue_id,
    p.media_type AS media_type,
    p.message_type AS message_type,
    toInt64(b.waiting) AS opening_backlog,
    p.offered AS offered,
    p.handled AS handled,
    p.abandoned AS abandoned,
    p.aht_s AS aht_s,
    CAST(NULL, 'Nullable(Float64)') AS focused_s,
    toInt64(t.turns) AS agent_turns,
    CAST(NULL, 'Nullable(Float64)') AS concurrency_avg,
    p.service_level_ratio AS service_level_ratio
FROM performance AS p
LEFT JOIN turns AS t ON t.tenant = p.tenant AND t.queue_id = p.queue_id AND t.message_type = p.message_type AND t.slot = p.interval_start_utc
LEFT JOIN backlog AS b ON b.tenant = p.tenant AND b.queue_id = p.queue_id AND b.message_type = p.message_type AND b.slot = p.interval_start_utc
ORDER BY p.tenant, p.interval_start_utc, p.queue_id, p.message_type
COMMENT 'Workforce management feed. Grain: queue × media type × message type × 15 minutes in which something happened.';

CREATE OR REPLACE VIEW weft.report_wfm_intervals SQL SECURITY INVOKER AS
SELECT * FROM weft.report_wfm_intervals_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, basis = {basis:String})
COMMENT 'Workforce management feed. Grain: queue × media type × message type × 15 minutes in which something happened.';
