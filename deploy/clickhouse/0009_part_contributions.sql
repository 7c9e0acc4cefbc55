-- What finished parts give to the reports by agent and by queue, one row a measure. Read by both,
-- so that a part means the same in each.
CREATE OR REPLACE VIEW weft_raw.part_contributions (
    tenant String COMMENT 'Tenant.',
    agent_id String COMMENT 'Agent; empty: a wait, which nobody has.',
    queue_id String COMMENT 'Queue; empty: none.',
    message_type String COMMENT 'Channel kind.',
    at DateTime64(3, 'UTC') COMMENT 'Completion, or under accrual the start of the quarter of an hour in which the time passed, UTC.',
    metric String COMMENT 'The measure: a count, or a sum in seconds where it ends in _s.',
    v Float64 COMMENT 'Its value.'
) SQL SECURITY INVOKER AS
SELECT tenant, agent_id, queue_id, message_type, at, pair.1 AS metric, pair.2 AS v FROM (
    SELECT tenant, agent_id, queue_id, channel AS message_type, ended_at AS at, arrayJoin([
        ('handled', 1.), ('talk_count', toFloat64(talk_ms > 0)), ('hold_count', toFloat64(hold_ms > 0)),
        ('acw_count', toFloat64(acw_ms > 0)), ('talk_done_s', talk_ms / 1000),
        ('handle_done_s', (talk_ms + hold_ms + acw_ms) / 1000), ('transferred', toFloat64(transfer_kind != '')),
        ('transferred_blind', toFloat64(transfer_kind = 'blind')),
        ('transferred_consult', toFloat64(transfer_kind = 'consult')),
        ('talk_s', if({basis:String} = 'accrual', 0., talk_ms / 1000)),
        ('hold_s', if({basis:String} = 'accrual', 0., hold_ms / 1000)),
        ('acw_s', if({basis:String} = 'accrual', 0., acw_ms / 1000))]) AS pair
    FROM weft_raw.parts FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND ended_at >= {from_time:DateTime64(3, 'UTC')} AND ended_at < {to_time:DateTime64(3, 'UTC')})
UNION ALL
SELECT tenant, agent_id, queue_id, message_type, at, concat(if(segment = 'wrap_up', 'acw', segment), '_s') AS metric,
    overlap_s AS v
FROM (
    SELECT tenant, if(segment = 'wait', '', agent_id) AS agent_id, queue_id, segment, channel AS message_type,
        toDateTime64(slot, 3, 'UTC') AS at, overlap_s FROM (
        SELECT *, arrayJoin(range(toUInt32(intDiv(toUnixTimestamp64Milli(started_at), 900000) * 900),
                toUInt32(intDiv(toUnixTimestamp64Milli(ended_at) + 999, 1000)), 900)) AS slot,
            greatest(0, least(toUnixTimestamp64Milli(ended_at), (slot + 900) * 1000)
                - greatest(toUnixTimestamp64Milli(started_at), slot * 1000)) / 1000 AS overlap_s
        FROM weft_raw.segments FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND {basis:String} = 'accrual' AND segment IN ('wait', 'talk', 'hold', 'wrap_up')
            AND started_at < {to_time:DateTime64(3, 'UTC')} AND ended_at > {from_time:DateTime64(3, 'UTC')}))
COMMENT 'What finished parts give to the reports by agent and by queue. Grain: part × measure; under accrual also segment × quarter of an hour × measure.';
