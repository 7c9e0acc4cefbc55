-- Queue Performance: offered counts at entry, outcomes when the visit ended, parts when completed.
CREATE OR REPLACE VIEW weft.report_queue_performance_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the interval, UTC.',
    interval_start_local DateTime COMMENT 'The same in tz.',
    utc_offset_min Int32 COMMENT 'Offset of tz from UTC at that moment, minutes.',
    queue_id String COMMENT 'Queue; empty: none.',
    queue_name String COMMENT 'Its present name.',
    media_type String COMMENT 'Media type; always message.',
    message_type String COMMENT 'Channel kind.',
    offered Int64 COMMENT 'Entered the queue, counted at entry.',
    resolved Int64 COMMENT 'answered + abandoned + flowed_out, counted when the visit ended.',
    answered Int64 COMMENT 'First agent connected.',
    abandoned Int64 COMMENT 'Ended without agent because the customer left, the session expired or patience ran out.',
    short_abandoned Int64 COMMENT 'Of these, sooner than the queue''s threshold.',
    flowed_out Int64 COMMENT 'Left the queue otherwise.',
    transferred Int64 COMMENT 'Handled parts ended by a completed transfer; 0 until transfers exist.',
    transferred_blind Int64 COMMENT 'Of these, blind.',
    transferred_consult Int64 COMMENT 'Of these, after a consult.',
    transfer_ratio Nullable(Float64) COMMENT 'transferred / handled, 0–1; null without.',
    answer_ratio Nullable(Float64) COMMENT 'answered / resolved, 0–1; null without.',
    abandon_ratio Nullable(Float64) COMMENT 'abandoned / resolved, 0–1; null without.',
    service_level_ratio Nullable(Float64) COMMENT 'sl_met / sl_total, 0–1; null without.',
    sl_met Int64 COMMENT 'Service-level target met.',
    sl_total Int64 COMMENT 'Met + missed.',
    wait_s Float64 COMMENT 'Entry → agent connected, abandoned or flowed out, sum, seconds.',
    wait_count Int64 COMMENT 'Finished visits.',
    wait_avg_s Nullable(Float64) COMMENT 'Wait of finished visits / wait_count, seconds; null without.',
    wait_p50_s Nullable(Float64) COMMENT '50th percentile of wait, exact, seconds; null without.',
    wait_p90_s Nullable(Float64) COMMENT '90th percentile of wait, exact, seconds; null without.',
    wait_p95_s Nullable(Float64) COMMENT '95th percentile of wait, exact, seconds; null without.',
    wait_max_s Nullable(Float64) COMMENT 'Longest wait, seconds; null without.',
    asa_s Nullable(Float64) COMMENT 'Average speed of answer: wait of answered visits / answered, seconds; null without.',
    talk_s Float64 COMMENT 'Talk, seconds.',
    talk_count Int64 COMMENT 'Handled parts with talk.',
    hold_s Float64 COMMENT 'Hold, seconds; 0 until hold exists.',
    acw_s Float64 COMMENT 'After-call work, seconds.',
    handle_s Float64 COMMENT 'Talk + hold + after-call work, seconds.',
    handled Int64 COMMENT 'Parts completed.',
    aht_s Nullable(Float64) COMMENT 'Handle time of completed parts / handled, seconds; null without.',
    first_response_s Float64 COMMENT 'Sum of first response times, seconds.',
    first_response_count Int64 COMMENT 'First responses.',
    first_response_avg_s Nullable(Float64) COMMENT 'first_response_s / first_response_count; null without.',
    messages_in Int64 COMMENT 'Customer messages while the queue had the conversation, those that brought it there included.',
    messages_out Int64 COMMENT 'Messages to customers on behalf of the queue.',
    wait_bh_s Nullable(Float64) COMMENT 'Wait inside the queue''s schedule, seconds; null until queues have schedules.',
    first_response_bh_s Nullable(Float64) COMMENT 'First response inside the queue''s schedule, seconds; null until queues have schedules.',
    handle_bh_s Nullable(Float64) COMMENT 'Handle inside the queue''s schedule, seconds; null until queues have schedules.'
) SQL SECURITY INVOKER AS
SELECT
    r.tenant AS tenant,
    weft_interval_start(at, {interval:String}, {tz:String}, {from_time:DateTime64(3, 'UTC')}) AS interval_start_utc,
    toTimeZone(interval_start_utc, {tz:String}) AS interval_start_local,
    toInt32(timeZoneOffset(toTimeZone(interval_start_utc, {tz:String})) / 60) AS utc_offset_min,
    r.queue_id AS queue_id,
    any(q.queue_name) AS queue_name,
    'message' AS media_type,
    message_type,
    toInt64(sumIf(v, metric = 'offered')) AS offered,
    answered + abandoned + flowed_out AS resolved,
    toInt64(sumIf(v, metric = 'answered')) AS answered,
    toInt64(sumIf(v, metric = 'abandoned')) AS abandoned,
    toInt64(sumIf(v, metric = 'short_abandoned')) AS short_abandoned,
    toInt64(sumIf(v, metric = 'flowed_out')) AS flowed_out,
    toInt64(sumIf(v, metric = 'transferred')) AS transferred,
    toInt64(sumIf(v, metric = 'transferred_blind')) AS transferred_blind,
    toInt64(sumIf(v, metric = 'transferred_consult')) AS transferred_consult,
    if(handled = 0, NULL, transferred / handled) AS transfer_ratio,
    if(resolved = 0, NULL, answered / resolved) AS answer_ratio,
    if(resolved = 0, NULL, abandoned / resolved) AS abandon_ratio,
    if(sl_total = 0, NULL, sl_met / sl_total) AS service_level_ratio,
    toInt64(sumIf(v, metric = 'sl_met')) AS sl_met,
    toInt64(sumIf(v, metric = 'sl_total')) AS sl_total,
    sumIf(v, metric = 'wait_s') AS wait_s,
    resolved AS wait_count,
    if(resolved = 0, NULL, sumIf(v, metric = 'wait_done_s') / resolved) AS wait_avg_s,
    if(resolved = 0, NULL, quantileExactIf(0.50)(v, metric = 'wait_done_s')) AS wait_p50_s,
    if(resolved = 0, NULL, quantileExactIf(0.90)(v, metric = 'wait_done_s')) AS wait_p90_s,
    if(resolved = 0, NULL, quantileExactIf(0.95)(v, metric = 'wait_done_s')) AS wait_p95_s,
    if(resolved = 0, NULL, maxIf(v, metric = 'wait_done_s')) AS wait_max_s,
    if(answered = 0, NULL, sumIf(v, metric = 'wait_answered_s') / answered) AS asa_s,
    sumIf(v, metric = 'talk_s') AS talk_s,
    toInt64(sumIf(v, metric = 'talk_count')) AS talk_count,
    sumIf(v, metric = 'hold_s') AS hold_s,
    sumIf(v, metric = 'acw_s') AS acw_s,
    talk_s + hold_s + acw_s AS handle_s,
    toInt64(sumIf(v, metric = 'handled')) AS handled,
    if(handled = 0, NULL, sumIf(v, metric = 'handle_done_s') / handled) AS aht_s,
    sumIf(v, metric = 'first_response_s') AS first_response_s,
    toInt64(sumIf(v, metric = 'first_response_count')) AS first_response_count,
    if(first_response_count = 0, NULL, first_response_s / first_response_count) AS first_response_avg_s,
    toInt64(sumIf(v, metric = 'messages_in')) AS messages_in,
    toInt64(sumIf(v, metric = 'messages_out')) AS messages_out,
    CAST(NULL, 'Nullable(Float64)') AS wait_bh_s,
    CAST(NULL, 'Nullable(Float64)') AS first_response_bh_s,
    CAST(NULL, 'Nullable(Float64)') AS handle_bh_s
FROM (
    SELECT tenant, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, queue_id, channel AS message_type, occurred_at AS at, ('offered', 1.) AS pair
        FROM weft_raw.queue_entries FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND occurred_at >= {from_time:DateTime64(3, 'UTC')} AND occurred_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, queue_id, channel AS message_type, ended_at AS at, arrayJoin([
            (toString(outcome), 1.), ('wait_done_s', wait_ms / 1000),
            ('wait_s', if({basis:String} = 'accrual', 0., wait_ms / 1000)),
            (if(outcome = 'answered', 'wait_answered_s', ''), wait_ms / 1000),
            ('short_abandoned', toFloat64(is_short_abandon)), ('sl_total', toFloat64(isNotNull(service_level_met))),
            ('sl_met', toFloat64(ifNull(service_level_met, false)))]) AS pair
        FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, queue_id, message_type, at, metric, v
    FROM weft_raw.part_contributions(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, basis = {basis:String})
    UNION ALL
    SELECT tenant, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, queue_id, channel AS message_type, occurred_at AS at, arrayJoin([('sl_total', 1.), ('sl_met', toFloat64(met))]) AS pair
        FROM weft_raw.service_levels FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND occurred_at >= {from_time:DateTime64(3, 'UTC')} AND occurred_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT m.tenant AS tenant, if(m.queue_id = '', entered.first_queue, m.queue_id) AS queue_id,
            channel AS message_type, occurred_at AS at, (if(direction = 'inbound', 'messages_in', 'messages_out'), 1.) AS pair
        FROM weft_raw.messages AS m FINAL
        LEFT JOIN (
            SELECT tenant, toNullable(stint_id) AS stint_id, argMin(e.queue_id, visit_no) AS first_queue
            FROM weft_raw.queue_entries AS e FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String})
            GROUP BY tenant, stint_id) AS entered ON entered.tenant = m.tenant AND entered.stint_id = m.stint_id
        WHERE ({tenant:String} = '*' OR m.tenant = {tenant:String}) AND isNotNull(m.stint_id)
            AND occurred_at >= {from_time:DateTime64(3, 'UTC')} AND occurred_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, queue_id, channel AS message_type, ended_at AS at, arrayJoin([('first_response_s', dateDiff('millisecond', started_at, ended_at) / 1000), ('first_response_count', 1.)]) AS pair
        FROM weft_raw.turns FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND who = 'agent' AND is_first_response AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
) AS r
LEFT JOIN weft.queues AS q ON q.tenant = r.tenant AND q.queue_id = r.queue_id
WHERE at >= {from_time:DateTime64(3, 'UTC')} AND at < {to_time:DateTime64(3, 'UTC')} AND metric != ''
GROUP BY tenant, interval_start_utc, queue_id, message_type
ORDER BY tenant, interval_start_utc, queue_id, message_type
COMMENT 'Queue Performance. Grain: queue × media type × message type × interval. Ratios are over resolved; offered = resolved + change in waiting.';

CREATE OR REPLACE VIEW weft.report_queue_performance SQL SECURITY INVOKER AS
SELECT * FROM weft.report_queue_performance_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = {interval:String}, basis = {basis:String})
COMMENT 'Queue Performance. Grain: queue × media type × message type × interval. Ratios are over resolved; offered = resolved + change in waiting.';

CREATE OR REPLACE VIEW weft.queue_performance_15m SQL SECURITY INVOKER AS
SELECT * FROM weft.report_queue_performance_v1(tenant = '*', from_time = '1970-01-01 00:00:00', to_time = '2100-01-01 00:00:00',
    tz = 'UTC', interval = '15m', basis = 'completion')
COMMENT 'The same without parameters for BI tools: every tenant that row policies let through, 15 minutes, UTC, completion.';
