-- Agent states: finished stretches of presence and routing status, split over intervals.
CREATE OR REPLACE VIEW weft.report_agent_states_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the interval, UTC.',
    interval_start_local DateTime COMMENT 'The same in tz.',
    utc_offset_min Int32 COMMENT 'Offset of tz from UTC at that moment, minutes.',
    agent_id String COMMENT 'Agent.',
    agent_name String COMMENT 'Their present name.',
    logged_in_s Float64 COMMENT 'Any presence but Offline, seconds.',
    on_queue_s Float64 COMMENT 'Presence On Queue, seconds.',
    idle_s Float64 COMMENT 'On queue without work, seconds.',
    interacting_s Float64 COMMENT 'On queue with at least one interaction, seconds.',
    not_responding_s Float64 COMMENT 'After an unanswered offer, seconds.',
    communicating_s Float64 COMMENT 'On work that weft does not route, seconds; 0 until set_load exists.',
    away_s Float64 COMMENT 'Presence Away, Break or Meal, seconds.',
    occupancy_ratio Nullable(Float64) COMMENT 'interacting_s / on_queue_s, 0–1; null without time on queue.',
    concurrency_avg Nullable(Float64) COMMENT 'Talk time over all interactions / interacting_s; null without.',
    concurrency_max Int64 COMMENT 'Most interactions at once.'
) SQL SECURITY INVOKER AS
SELECT
    r.tenant AS tenant,
    weft_interval_start(at, {interval:String}, {tz:String}, {from_time:DateTime64(3, 'UTC')}) AS interval_start_utc,
    toTimeZone(interval_start_utc, {tz:String}) AS interval_start_local,
    toInt32(timeZoneOffset(toTimeZone(interval_start_utc, {tz:String})) / 60) AS utc_offset_min,
    r.agent_id AS agent_id,
    any(ag.agent_name) AS agent_name,
    sumIf(v, metric = 'state' AND (presence NOT IN ('offline', ''))) AS logged_in_s,
    sumIf(v, metric = 'state' AND (presence = 'on_queue')) AS on_queue_s,
    sumIf(v, metric = 'state' AND (routing_status = 'idle')) AS idle_s,
    sumIf(v, metric = 'state' AND (routing_status = 'interacting')) AS interacting_s,
    sumIf(v, metric = 'state' AND (routing_status = 'not_responding')) AS not_responding_s,
    sumIf(v, metric = 'state' AND (routing_status = 'communicating')) AS communicating_s,
    sumIf(v, metric = 'state' AND (presence IN ('away', 'break', 'meal'))) AS away_s,
    if(on_queue_s = 0, NULL, interacting_s / on_queue_s) AS occupancy_ratio,
    if(interacting_s = 0, NULL, sumIf(v, metric = 'talk') / interacting_s) AS concurrency_avg,
    toInt64(maxIntersectionsIf(started, ended, metric = 'talk' AND v > 0)) AS concurrency_max
FROM (
    SELECT tenant, agent_id, at, if(segment = 'talk', 'talk', 'state') AS metric, overlap_s AS v, presence,
        routing_status, toUnixTimestamp64Milli(started_at) AS started, toUnixTimestamp64Milli(ended_at) AS ended
    FROM (
        SELECT tenant, agent_id, segment, presence, routing_status, started_at, ended_at, toDateTime64(slot, 3, 'UTC') AS at, overlap_s FROM (
            SELECT *, arrayJoin(range(toUInt32(intDiv(toUnixTimestamp64Milli(started_at), 900000) * 900),
                    toUInt32(intDiv(toUnixTimestamp64Milli(ended_at) + 999, 1000)), 900)) AS slot,
                greatest(0, least(toUnixTimestamp64Milli(ended_at), (slot + 900) * 1000)
                    - greatest(toUnixTimestamp64Milli(started_at), slot * 1000)) / 1000 AS overlap_s
            FROM weft_raw.segments FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND segment IN ('agent_state', 'talk') AND agent_id != ''
                AND started_at < {to_time:DateTime64(3, 'UTC')} AND ended_at > {from_time:DateTime64(3, 'UTC')}))
) AS r
LEFT JOIN weft.agents AS ag ON ag.tenant = r.tenant AND ag.agent_id = r.agent_id
WHERE at >= {from_time:DateTime64(3, 'UTC')} AND at < {to_time:DateTime64(3, 'UTC')}
GROUP BY tenant, interval_start_utc, agent_id
ORDER BY tenant, interval_start_utc, agent_id
COMMENT 'Agent states. Grain: agent × interval, agents without work too. A stretch that still goes on is counted when it ends.';

CREATE OR REPLACE VIEW weft.report_agent_states SQL SECURITY INVOKER AS
SELECT * FROM weft.report_agent_states_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = {interval:String})
COMMENT 'Agent states. Grain: agent × interval, agents without work too. A stretch that still goes on is counted when it ends.';
