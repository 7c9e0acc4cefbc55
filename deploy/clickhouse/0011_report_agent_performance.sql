-- Agent Performance: counts at their event; durations whole at completion, or split by accrual.
CREATE OR REPLACE VIEW weft.report_agent_performance_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the interval, UTC.',
    interval_start_local DateTime COMMENT 'The same in tz.',
    utc_offset_min Int32 COMMENT 'Offset of tz from UTC at that moment, minutes.',
    agent_id String COMMENT 'Agent.',
    agent_name String COMMENT 'Their present name.',
    queue_id String COMMENT 'Queue; empty: none.',
    media_type String COMMENT 'Media type; always message.',
    message_type String COMMENT 'Channel kind.',
    alerted Int64 COMMENT 'Offers that alerted the agent, counted at their end.',
    answered Int64 COMMENT 'Queue visits whose first connected agent this was.',
    handled Int64 COMMENT 'Parts completed, after-call work included.',
    declined Int64 COMMENT 'Offers declined.',
    not_answered Int64 COMMENT 'Offers that ran out.',
    transferred Int64 COMMENT 'Handled parts ended by the agent''s completed transfer; 0 until transfers exist.',
    transferred_blind Int64 COMMENT 'Of these, blind.',
    transferred_consult Int64 COMMENT 'Of these, after a consult.',
    transfer_ratio Nullable(Float64) COMMENT 'transferred / handled, 0–1; null without handled.',
    talk_s Float64 COMMENT 'Connected − hold − parked, seconds.',
    talk_count Int64 COMMENT 'Handled parts with talk.',
    talk_avg_s Nullable(Float64) COMMENT 'Talk of completed parts / talk_count, seconds; null without.',
    hold_s Float64 COMMENT 'Hold, seconds; 0 until hold exists.',
    hold_count Int64 COMMENT 'Handled parts with hold.',
    acw_s Float64 COMMENT 'After-call work, seconds.',
    acw_count Int64 COMMENT 'Handled parts with after-call work.',
    handle_s Float64 COMMENT 'Talk + hold + after-call work, seconds.',
    aht_s Nullable(Float64) COMMENT 'Handle time of completed parts / handled, seconds; null without.',
    focused_s Nullable(Float64) COMMENT 'The agent had it open or typed, seconds; null until focus is told.',
    focused_avg_s Nullable(Float64) COMMENT 'focused_s / handled; null until focus is told.',
    first_response_s Float64 COMMENT 'Sum of first response times, seconds.',
    first_response_count Int64 COMMENT 'First responses.',
    first_response_avg_s Nullable(Float64) COMMENT 'first_response_s / first_response_count; null without.',
    response_s Float64 COMMENT 'Sum of response times over all turns, seconds.',
    response_count Int64 COMMENT 'Answered turns.',
    response_avg_s Nullable(Float64) COMMENT 'response_s / response_count; null without.',
    response_p90_s Nullable(Float64) COMMENT '90th percentile of response times, exact, seconds; null without.',
    messages_out Int64 COMMENT 'The agent''s messages.'
) SQL SECURITY INVOKER AS
SELECT
    r.tenant AS tenant,
    weft_interval_start(at, {interval:String}, {tz:String}, {from_time:DateTime64(3, 'UTC')}) AS interval_start_utc,
    toTimeZone(interval_start_utc, {tz:String}) AS interval_start_local,
    toInt32(timeZoneOffset(toTimeZone(interval_start_utc, {tz:String})) / 60) AS utc_offset_min,
    r.agent_id AS agent_id,
    any(ag.agent_name) AS agent_name,
    r.queue_id AS queue_id,
    'message' AS media_type,
    message_type,
    toInt64(sumIf(v, metric = 'alerted')) AS alerted,
    toInt64(sumIf(v, metric = 'answered')) AS answered,
    toInt64(sumIf(v, metric = 'handled')) AS handled,
    toInt64(sumIf(v, metric = 'declined')) AS declined,
    toInt64(sumIf(v, metric = 'not_answered')) AS not_answered,
    toInt64(sumIf(v, metric = 'transferred')) AS transferred,
    toInt64(sumIf(v, metric = 'transferred_blind')) AS transferred_blind,
    toInt64(sumIf(v, metric = 'transferred_consult')) AS transferred_consult,
    if(handled = 0, NULL, transferred / handled) AS transfer_ratio,
    sumIf(v, metric = 'talk_s') AS talk_s,
    toInt64(sumIf(v, metric = 'talk_count')) AS talk_count,
    if(talk_count = 0, NULL, sumIf(v, metric = 'talk_done_s') / talk_count) AS talk_avg_s,
    sumIf(v, metric = 'hold_s') AS hold_s,
    toInt64(sumIf(v, metric = 'hold_count')) AS hold_count,
    sumIf(v, metric = 'acw_s') AS acw_s,
    toInt64(sumIf(v, metric = 'acw_count')) AS acw_count,
    talk_s + hold_s + acw_s AS handle_s,
    if(handled = 0, NULL, sumIf(v, metric = 'handle_done_s') / handled) AS aht_s,
    CAST(NULL, 'Nullable(Float64)') AS focused_s,
    CAST(NULL, 'Nullable(Float64)') AS focused_avg_s,
    sumIf(v, metric = 'first_response_s') AS first_response_s,
    toInt64(sumIf(v, metric = 'first_response_count')) AS first_response_count,
    if(first_response_count = 0, NULL, first_response_s / first_response_count) AS first_response_avg_s,
    sumIf(v, metric = 'response_s') AS response_s,
    toInt64(sumIf(v, metric = 'response_count')) AS response_count,
    if(response_count = 0, NULL, response_s / response_count) AS response_avg_s,
    if(response_count = 0, NULL, quantileExactIf(0.9)(v, metric = 'response_s')) AS response_p90_s,
    toInt64(sumIf(v, metric = 'messages_out')) AS messages_out
FROM (
    SELECT tenant, agent_id, queue_id, message_type, at, metric, v
    FROM weft_raw.part_contributions(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, basis = {basis:String})
    WHERE agent_id != ''
    UNION ALL
    SELECT tenant, agent_id, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, agent_id, queue_id, channel AS message_type, ended_at AS at, arrayJoin([('alerted', 1.), (if(outcome IN ('declined', 'not_answered'), outcome, ''), 1.)]) AS pair
        FROM weft_raw.segments FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND segment = 'alert' AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, agent_id, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, agent_id, queue_id, channel AS message_type, ended_at AS at, ('answered', 1.) AS pair
        FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND outcome = 'answered' AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, agent_id, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, agent_id, queue_id, channel AS message_type, occurred_at AS at, ('messages_out', 1.) AS pair
        FROM weft_raw.messages FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND sender_kind = 'agent' AND direction = 'outbound' AND occurred_at >= {from_time:DateTime64(3, 'UTC')} AND occurred_at < {to_time:DateTime64(3, 'UTC')})
    UNION ALL
    SELECT tenant, agent_id, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
        SELECT tenant, agent_id, queue_id, channel AS message_type, ended_at AS at, dateDiff('millisecond', started_at, ended_at) / 1000 AS took_s, arrayJoin([('response_s', took_s), ('response_count', 1.), (if(is_first_response, 'first_response_s', ''), took_s), (if(is_first_response, 'first_response_count', ''), 1.)]) AS pair
        FROM weft_raw.turns FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND who = 'agent' AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
) AS r
LEFT JOIN weft.agents AS ag ON ag.tenant = r.tenant AND ag.agent_id = r.agent_id
WHERE at >= {from_time:DateTime64(3, 'UTC')} AND at < {to_time:DateTime64(3, 'UTC')} AND metric != ''
GROUP BY tenant, interval_start_utc, agent_id, queue_id, message_type
ORDER BY tenant, interval_start_utc, agent_id, queue_id, message_type
COMMENT 'Agent Performance. Grain: agent × queue × media type × message type × interval. basis completion: a duration lies whole in the interval in which it completed; accrual: split over the intervals in which it happened.';

CREATE OR REPLACE VIEW weft.report_agent_performance SQL SECURITY INVOKER AS
SELECT * FROM weft.report_agent_performance_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = {interval:String}, basis = {basis:String})
COMMENT 'Agent Performance. Grain: agent × queue × media type × message type × interval. basis completion: a duration lies whole in the interval in which it completed; accrual: split over the intervals in which it happened.';

CREATE OR REPLACE VIEW weft.agent_performance_15m SQL SECURITY INVOKER AS
SELECT * FROM weft.report_agent_performance_v1(tenant = '*', from_time = '1970-01-01 00:00:00', to_time = '2100-01-01 00:00:00',
    tz = 'UTC', interval = '15m', basis = 'completion')
COMMENT 'The same without parameters for BI tools: every tenant that row policies let through, 15 minutes, UTC, completion.';
