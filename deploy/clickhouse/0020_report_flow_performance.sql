-- Flow performance; empty until flows exist.
CREATE OR REPLACE VIEW weft.report_flow_performance_v1 (
    tenant String COMMENT 'Tenant.',
    interval_start_utc DateTime COMMENT 'Start of the interval, UTC.',
    interval_start_local DateTime COMMENT 'The same in tz.',
    utc_offset_min Int32 COMMENT 'Offset of tz from UTC at that moment, minutes.',
    flow_id String COMMENT 'Flow.',
    flow_version Nullable(Int64) COMMENT 'Version; null until flows exist.',
    entered Int64 COMMENT 'Runs begun.',
    contained Nullable(Int64) COMMENT 'Ended without an agent; null until flows exist.',
    handed_over Nullable(Int64) COMMENT 'Given to a queue or agent; null until flows exist.',
    failed Nullable(Int64) COMMENT 'Ended by an error; null until flows exist.',
    returned_in_window Nullable(Int64) COMMENT 'Came back within the window; null until flows exist.'
) SQL SECURITY INVOKER AS
SELECT
    tenant,
    weft_interval_start(started_at, {interval:String}, {tz:String}, {from_time:DateTime64(3, 'UTC')}) AS interval_start_utc,
    toTimeZone(interval_start_utc, {tz:String}) AS interval_start_local,
    toInt32(timeZoneOffset(toTimeZone(interval_start_utc, {tz:String})) / 60) AS utc_offset_min,
    flow_id,
    CAST(NULL, 'Nullable(Int64)') AS flow_version,
    toInt64(count()) AS entered,
    CAST(NULL, 'Nullable(Int64)') AS contained,
    CAST(NULL, 'Nullable(Int64)') AS handed_over,
    CAST(NULL, 'Nullable(Int64)') AS failed,
    CAST(NULL, 'Nullable(Int64)') AS returned_in_window
FROM weft_raw.segments FINAL
WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND segment = 'flow' AND started_at >= {from_time:DateTime64(3, 'UTC')} AND started_at < {to_time:DateTime64(3, 'UTC')}
GROUP BY tenant, interval_start_utc, flow_id
ORDER BY tenant, interval_start_utc, flow_id
COMMENT 'Flow performance. Grain: flow × version × interval. Empty until flows exist.';

CREATE OR REPLACE VIEW weft.report_flow_performance SQL SECURITY INVOKER AS
SELECT * FROM weft.report_flow_performance_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, interval = {interval:String})
COMMENT 'Flow performance. Grain: flow × version × interval. Empty until flows exist.';
