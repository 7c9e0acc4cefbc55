-- Performance by skill and wrap-up code.
CREATE OR REPLACE VIEW weft.report_performance_detail_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the interval, UTC.',
    interval_start_local DateTime COMMENT 'The same in tz.',
    utc_offset_min Int32 COMMENT 'Offset of tz from UTC at that moment, minutes.',
    queue_id String COMMENT 'Queue; empty: none.',
    agent_id String COMMENT 'Agent; empty for visits without one.',
    skill String COMMENT 'Skill asked for, one row each; empty: none.',
    wrap_up_code String COMMENT 'Wrap-up code; empty: none.',
    message_type String COMMENT 'Channel kind.',
    handled Int64 COMMENT 'Parts completed.',
    abandoned Int64 COMMENT 'Visits abandoned.',
    flowed_out Int64 COMMENT 'Visits that left otherwise.',
    wait_s Float64 COMMENT 'Wait, sum, seconds; a part with several skills counts under each.',
    talk_s Float64 COMMENT 'Talk, sum, seconds; a part with several skills counts under each.',
    hold_s Float64 COMMENT 'Hold, sum, seconds; a part with several skills counts under each.',
    acw_s Float64 COMMENT 'After-call work, sum, seconds; a part with several skills counts under each.',
    handle_s Float64 COMMENT 'Handle, sum, seconds; a part with several skills counts under each.'
) SQL SECURITY INVOKER AS
SELECT
    r.tenant AS tenant,
    weft_interval_start(at, {interval:String}, {tz:String}, {from_time:DateTime64(3, 'UTC')}) AS interval_start_utc,
    toTimeZone(interval_start_utc, {tz:String}) AS interval_start_local,
    toInt32(timeZoneOffset(toTimeZone(interval_start_utc, {tz:String})) / 60) AS utc_offset_min,
    queue_id,
    agent_id,
    skill,
    wrap_up_code,
    message_type,
    toInt64(sum(r.handled)) AS handled,
    toInt64(sum(r.abandoned)) AS abandoned,
    toInt64(sum(r.flowed_out)) AS flowed_out,
    sum(r.wait_s) AS wait_s,
    sum(r.talk_s) AS talk_s,
    sum(r.hold_s) AS hold_s,
    sum(r.acw_s) AS acw_s,
    sum(r.handle_s) AS handle_s
FROM (
    SELECT tenant, queue_id, agent_id, arrayJoin(if(empty(skills), [''], arrayMap(x -> toString(x), skills))) AS skill, wrap_up_code, channel AS message_type,
        ended_at AS at, 1 AS handled, 0 AS abandoned, 0 AS flowed_out, wait_ms / 1000 AS wait_s, talk_ms / 1000 AS talk_s,
        hold_ms / 1000 AS hold_s, acw_ms / 1000 AS acw_s, (talk_ms + hold_ms + acw_ms) / 1000 AS handle_s
    FROM weft_raw.parts FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')}
    UNION ALL
    SELECT tenant, queue_id, '', arrayJoin(if(empty(skills), [''], arrayMap(x -> toString(x), skills))), '', channel, ended_at, 0,
        outcome = 'abandoned', outcome = 'flowed_out', wait_ms / 1000, 0, 0, 0, 0
    FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND outcome != 'answered' AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')}) AS r
GROUP BY tenant, interval_start_utc, queue_id, agent_id, skill, wrap_up_code, message_type
ORDER BY tenant, interval_start_utc, queue_id, agent_id, skill, wrap_up_code, message_type
COMMENT 'Performance detail, by completion. Grain: queue × agent × skill × wrap-up code × message type × interval.';

CREATE OR REPLACE VIEW weft.report_performance_detail SQL SECURITY INVOKER AS
SELECT * FROM weft.report_performance_detail_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = {interval:String})
COMMENT 'Performance detail, by completion. Grain: queue × agent × skill × wrap-up code × message type × interval.';
