-- Queue activity: what is open now, from the last step of every stint.
CREATE OR REPLACE VIEW weft.report_queue_activity_v1 (
    tenant String COMMENT 'Tenant.',
    as_of_utc DateTime64(3, 'UTC') COMMENT 'When it was computed, UTC.',
    queue_id String COMMENT 'Queue.',
    queue_name String COMMENT 'Its present name.',
    message_type String COMMENT 'Channel kind; empty on the queue''s own row.',
    waiting Int64 COMMENT 'Conversations waiting now.',
    interacting Int64 COMMENT 'Conversations with an agent now.',
    alerting Int64 COMMENT 'Conversations being offered now.',
    parked Int64 COMMENT 'Conversations parked now; 0 until parking exists.',
    longest_waiting_s Nullable(Float64) COMMENT 'Since the oldest waiting one entered, seconds; null when nobody waits.',
    longest_interacting_s Nullable(Float64) COMMENT 'Since the oldest connected one was connected, seconds; null when there is none.',
    estimated_wait_s Nullable(Float64) COMMENT 'Mean wait of the visits answered in the last 30 minutes, seconds; null without.',
    offered_today Int64 COMMENT 'Entered since local midnight.',
    answered_today Int64 COMMENT 'Answered since local midnight.',
    abandoned_today Int64 COMMENT 'Abandoned since local midnight.',
    service_level_today_ratio Nullable(Float64) COMMENT 'Service level since local midnight, 0–1; null without.',
    agents_on_queue Nullable(Int64) COMMENT 'Members now: on queue. Null on the rows per channel.',
    agents_idle Nullable(Int64) COMMENT 'Members now: on queue without work. Null on the rows per channel.',
    agents_interacting Nullable(Int64) COMMENT 'Members now: on queue with work. Null on the rows per channel.',
    agents_not_responding Nullable(Int64) COMMENT 'Members now: after an unanswered offer. Null on the rows per channel.',
    agents_communicating Nullable(Int64) COMMENT 'Members now: on other work; 0 until set_load exists. Null on the rows per channel.',
    agents_off_queue Nullable(Int64) COMMENT 'Members now: members who are off queue or not connected. Null on the rows per channel.'
) SQL SECURITY INVOKER AS
WITH toTimeZone(toDateTime(toDate(now('UTC'), {tz:String}), {tz:String}), 'UTC') AS midnight,
present AS (
    SELECT tenant, stint_id, argMax(change, (src_offset, ordinal)) AS step, argMax(queue_id, (src_offset, ordinal)) AS queue_id,
        any(channel) AS message_type, maxIf(occurred_at, change = 'queued') AS queued_at,
        maxIf(occurred_at, change = 'connected') AS connected_at
    FROM weft_raw.work_changes FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, stint_id),
numbers AS (
    SELECT tenant, queue_id, message_type,
        countIf(step IN ('queued', 'declined', 'not_answered', 'withdrawn')) AS waiting,
        countIf(step IN ('offered')) AS alerting, countIf(step IN ('accepted', 'connected', 'held', 'resumed', 'unparked')) AS interacting,
        countIf(step = 'parked') AS parked,
        minIf(queued_at, step IN ('queued', 'declined', 'not_answered', 'withdrawn', 'offered')) AS oldest_wait,
        minIf(connected_at, step IN ('accepted', 'connected', 'held', 'resumed', 'unparked')) AS oldest_talk
    FROM present GROUP BY GROUPING SETS ((tenant, queue_id, message_type), (tenant, queue_id))),
today AS (
    SELECT tenant, queue_id, message_type, sum(offered) AS offered, sum(answered) AS answered, sum(abandoned) AS abandoned,
        sum(sl_met) AS sl_met, sum(sl_total) AS sl_total, sum(recent_waits) AS recent_waits, sum(recent_wait_s) AS recent_wait_s
    FROM (
        SELECT tenant, queue_id, channel AS message_type, 1 AS offered, 0 AS answered, 0 AS abandoned, 0 AS sl_met,
            0 AS sl_total, 0 AS recent_waits, 0. AS recent_wait_s
        FROM weft_raw.queue_entries FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND occurred_at >= midnight
        UNION ALL
        SELECT tenant, queue_id, channel, 0, outcome = 'answered', outcome = 'abandoned',
            ifNull(service_level_met, false), isNotNull(service_level_met),
            outcome = 'answered' AND ended_at > now('UTC') - 1800, if(outcome = 'answered' AND ended_at > now('UTC') - 1800, wait_ms / 1000, 0)
        FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND ended_at >= midnight)
    GROUP BY GROUPING SETS ((tenant, queue_id, message_type), (tenant, queue_id))),
members AS (
    SELECT q.tenant AS tenant, q.queue_id AS queue_id, countIf(s.on_queue) AS on_queue,
        countIf(s.on_queue AND s.status = 'idle') AS idle, countIf(s.on_queue AND s.status = 'interacting') AS interacting,
        countIf(s.on_queue AND s.status = 'not_responding') AS not_responding,
        countIf(s.on_queue AND s.status = 'communicating') AS communicating, countIf(NOT s.on_queue) AS off_queue
    FROM (SELECT tenant, queue_id, arrayJoin(members) AS agent_id FROM weft.queues WHERE ({tenant:String} = '*' OR tenant = {tenant:String})) AS q
    LEFT JOIN (
        SELECT tenant, agent_id, argMax(routing_status, (occurred_at, src_offset)) AS status,
            argMax(presence = 'on_queue' AND is_connected, (occurred_at, src_offset)) AS on_queue
        FROM weft_raw.agent_changes FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) GROUP BY tenant, agent_id) AS s
        ON s.tenant = q.tenant AND s.agent_id = q.agent_id
    GROUP BY q.tenant, q.queue_id),
asked AS (
    SELECT tenant, queue_id, queue_name, '' AS message_type FROM weft.queues WHERE ({tenant:String} = '*' OR tenant = {tenant:String})
    UNION ALL
    SELECT DISTINCT p.tenant, p.queue_id, q.queue_name, p.message_type
    FROM (SELECT tenant, queue_id, message_type FROM numbers UNION ALL SELECT tenant, queue_id, message_type FROM today) AS p
    LEFT JOIN weft.queues AS q ON q.tenant = p.tenant AND q.queue_id = p.queue_id WHERE p.message_type != '')
SELECT
    a.tenant AS tenant,
    now64(3, 'UTC') AS as_of_utc,
    a.queue_id AS queue_id,
    a.queue_name AS queue_name,
    a.message_type AS message_type,
    toInt64(n.waiting) AS waiting,
    toInt64(n.interacting) AS interacting,
    toInt64(n.alerting) AS alerting,
    toInt64(n.parked) AS parked,
    if(n.waiting + n.alerting = 0, NULL, dateDiff('millisecond', n.oldest_wait, now64(3, 'UTC')) / 1000) AS longest_waiting_s,
    if(n.interacting = 0, NULL, dateDiff('millisecond', n.oldest_talk, now64(3, 'UTC')) / 1000) AS longest_interacting_s,
    if(t.recent_waits = 0, NULL, t.recent_wait_s / t.recent_waits) AS estimated_wait_s,
    toInt64(t.offered) AS offered_today,
    toInt64(t.answered) AS answered_today,
    toInt64(t.abandoned) AS abandoned_today,
    if(t.sl_total = 0, NULL, t.sl_met / t.sl_total) AS service_level_today_ratio,
    if(a.message_type = '', toNullable(toInt64(m.on_queue)), NULL) AS agents_on_queue,
    if(a.message_type = '', toNullable(toInt64(m.idle)), NULL) AS agents_idle,
    if(a.message_type = '', toNullable(toInt64(m.interacting)), NULL) AS agents_interacting,
    if(a.message_type = '', toNullable(toInt64(m.not_responding)), NULL) AS agents_not_responding,
    if(a.message_type = '', toNullable(toInt64(m.communicating)), NULL) AS agents_communicating,
    if(a.message_type = '', toNullable(toInt64(m.off_queue)), NULL) AS agents_off_queue
FROM asked AS a
LEFT JOIN numbers AS n ON n.tenant = a.tenant AND n.queue_id = a.queue_id AND n.message_type = a.message_type
LEFT JOIN today AS t ON t.tenant = a.tenant AND t.queue_id = a.queue_id AND t.message_type = a.message_type
LEFT JOIN members AS m ON m.tenant = a.tenant AND m.queue_id = a.queue_id
ORDER BY a.tenant, a.queue_id, a.message_type
COMMENT 'Queue activity now. Grain: queue (message_type empty) and queue × message type; the agent counts stand on the queue''s own row.';

CREATE OR REPLACE VIEW weft.report_queue_activity SQL SECURITY INVOKER AS
SELECT * FROM weft.report_queue_activity_v1(tenant = {tenant:String}, tz = {tz:String})
COMMENT 'Queue activity now. Grain: queue (message_type empty) and queue × message type; the agent counts stand on the queue''s own row.';
