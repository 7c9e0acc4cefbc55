-- Interaction Details: one row per agent part; queue visits without an agent have rows of their own.
-- time_field: completed (default), started, active (overlapping the span, open rows included).
CREATE OR REPLACE VIEW weft.report_interaction_details_v1 (
    tenant String COMMENT 'Tenant.',
    row_kind String COMMENT 'agent_part, queue_visit (a visit without an agent) or flow (a stint that met flows only; none until flows exist).',
    conversation_id UUID COMMENT 'Conversation.',
    stint_id UUID COMMENT 'Stint.',
    stint_no Int64 COMMENT 'Number of the stint in its conversation, from 1.',
    part_id Nullable(UUID) COMMENT 'The agent''s part; null for rows without an agent.',
    is_open Bool COMMENT 'Whether it is still going on; durations of open rows are null.',
    is_reopen Bool COMMENT 'Whether the stint re-opened its conversation.',
    media_type String COMMENT 'Media type; always message.',
    message_type String COMMENT 'Channel kind.',
    account_id String COMMENT 'Channel account.',
    customer_key String COMMENT 'Customer.',
    is_new_customer Bool COMMENT 'Whether it is the customer''s first conversation on this account.',
    initiator String COMMENT 'Who began the stint: customer, agent, api, external.',
    customer_participated Bool COMMENT 'Whether the customer wrote in this stint.',
    entry_point String COMMENT 'Reference the customer came by; empty: none.',
    started_utc DateTime64(3, 'UTC') COMMENT 'Begin: agent connected, or queue entered; UTC.',
    started_local DateTime64(3) COMMENT 'The same in tz.',
    ended_utc Nullable(DateTime64(3, 'UTC')) COMMENT 'End, after-call work included; UTC; null while open.',
    ended_local Nullable(DateTime64(3)) COMMENT 'The same in tz.',
    queue_id String COMMENT 'Queue; empty: none.',
    queue_name String COMMENT 'Its present name.',
    agent_id String COMMENT 'Agent; empty: none.',
    agent_name String COMMENT 'Their present name.',
    skills Array(String) COMMENT 'Skills asked for.',
    language String COMMENT 'Language asked for; empty: none.',
    priority Int64 COMMENT 'Priority asked for.',
    routing_method String COMMENT 'Routing method that decided.',
    is_answered Bool COMMENT 'Whether the row answered a queue visit.',
    is_abandoned Bool COMMENT 'Whether the visit was abandoned.',
    wait_s Nullable(Float64) COMMENT 'Entry to the queue → agent connected, abandoned or flowed out, seconds; null for parts without a visit.',
    alert_s Nullable(Float64) COMMENT 'Alerting of the accepted offer, seconds; null for rows without an agent.',
    talk_s Nullable(Float64) COMMENT 'Connected − hold − parked, seconds; null for rows without an agent.',
    hold_s Nullable(Float64) COMMENT 'Explicit hold, seconds; null for rows without an agent.',
    acw_s Nullable(Float64) COMMENT 'After-call work, seconds; null for rows without an agent.',
    handle_s Nullable(Float64) COMMENT 'Talk + hold + after-call work, seconds; null for rows without an agent.',
    focused_s Nullable(Float64) COMMENT 'The agent had it open or typed, seconds; null until focus is told.',
    waiting_for_customer_s Nullable(Float64) COMMENT 'The agent had written last, seconds; null for rows without an agent.',
    waiting_for_agent_s Nullable(Float64) COMMENT 'The customer had written last, seconds; null for rows without an agent.',
    parked_s Nullable(Float64) COMMENT 'Parked, seconds; null until parking exists.',
    part_s Nullable(Float64) COMMENT 'Agent connected → after-call work done, seconds; null for rows without an agent.',
    stint_s Nullable(Float64) COMMENT 'Stint opened → ended, without after-call work, seconds; null while open.',
    conversation_s Nullable(Float64) COMMENT 'Conversation opened → window ended, seconds; null before.',
    messages_in Int64 COMMENT 'Customer messages during the part; of the stint for rows without an agent.',
    messages_out Int64 COMMENT 'The agent''s messages.',
    messages_bot Int64 COMMENT 'Bot messages of the stint.',
    bot_turns Nullable(Float64) COMMENT 'Bot turns; null until bots exist.',
    is_self_served Nullable(Bool) COMMENT 'Whether a flow or bot ended it without an agent; null until flows exist.',
    first_response_s Nullable(Float64) COMMENT 'First unanswered customer message → this agent''s first reply, seconds; null if none.',
    response_s Nullable(Float64) COMMENT 'Sum of the agent''s response times, seconds.',
    response_count Int64 COMMENT 'The agent''s answered turns.',
    transfer_kind String COMMENT 'blind or consult when the agent''s transfer ended the part; empty until transfers exist.',
    is_consult_transfer Bool COMMENT 'Whether a consult was completed; false until transfers exist.',
    wrap_up_code String COMMENT 'Wrap-up code; empty: none, TIMEOUT: none in time.',
    end_cause String COMMENT 'Why it ended; empty while open.',
    is_service_level_met Nullable(Bool) COMMENT 'Whether the queue''s target was met; null when it does not count.',
    delivery_failures Int64 COMMENT 'Messages of the part that were not delivered.'
) SQL SECURITY INVOKER AS
WITH failed AS (
    SELECT tenant, part_id AS failed_part, count() AS delivery_failures
    FROM weft_raw.messages AS m FINAL
    INNER JOIN (SELECT tenant, message_id FROM weft_raw.delivery_states WHERE is_failed AND ({tenant:String} = '*' OR tenant = {tenant:String})) AS d
        ON d.tenant = m.tenant AND d.message_id = m.message_id
    WHERE ({tenant:String} = '*' OR m.tenant = {tenant:String}) AND isNotNull(part_id) GROUP BY tenant, part_id),
counted AS (
    SELECT tenant, assumeNotNull(stint_id) AS counted_stint, countIf(direction = 'inbound') AS messages_in,
        countIf(sender_kind = 'bot') AS messages_bot
    FROM weft_raw.messages FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND isNotNull(stint_id) GROUP BY tenant, stint_id),
rows AS (
    SELECT tenant, 'agent_part' AS row_kind, conversation_id, stint_id, stint_no, toNullable(part_id) AS part_id,
        false AS is_open, is_reopen, channel AS message_type, account_id, customer_key, started_at AS started,
        toNullable(ended_at) AS ended, queue_id, agent_id, skills, language, priority, routing_method, is_answered,
        false AS is_abandoned, if(is_answered, wait_ms / 1000, NULL) AS wait_s, toNullable(alert_ms / 1000) AS alert_s,
        toNullable(talk_ms / 1000) AS talk_s, toNullable(hold_ms / 1000) AS hold_s, toNullable(acw_ms / 1000) AS acw_s,
        toNullable((talk_ms + hold_ms + acw_ms) / 1000) AS handle_s,
        toNullable(waiting_for_customer_ms / 1000) AS waiting_for_customer_s,
        toNullable(waiting_for_agent_ms / 1000) AS waiting_for_agent_s,
        toNullable(dateDiff('millisecond', started_at, ended_at) / 1000) AS part_s, messages_in, messages_out,
        first_response_ms / 1000 AS first_response_s, toNullable(response_ms / 1000) AS response_s, response_count,
        transfer_kind, is_consult_transfer, wrap_up_code, end_cause, service_level_met AS is_service_level_met
    FROM weft_raw.parts FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String})
    UNION ALL
    SELECT tenant, 'queue_visit', conversation_id, stint_id, stint_no, NULL, false, is_reopen, channel, account_id,
        customer_key, started_at, toNullable(ended_at), queue_id, '', skills, language, priority, routing_method, false,
        outcome = 'abandoned', toNullable(wait_ms / 1000), NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL,
        NULL, 0, '', false, '', cause, service_level_met
    FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}) AND outcome != 'answered'
    UNION ALL
    SELECT w.tenant, 'agent_part', w.conversation_id, w.stint_id, s.stint_no, w.part_id, true, s.is_reopen, w.channel,
        w.account_id, w.customer_key, w.occurred_at, NULL, w.queue_id, w.agent_id, [], '', 0, '', true, false, NULL, NULL,
        NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, '', false, '', '', NULL
    FROM weft_raw.work_changes AS w FINAL
    LEFT JOIN weft_raw.stints AS s ON s.tenant = w.tenant AND s.stint_id = w.stint_id
    WHERE ({tenant:String} = '*' OR w.tenant = {tenant:String}) AND {time_field:String} = 'active' AND w.change = 'connected'
        AND w.part_id NOT IN (SELECT toNullable(part_id) FROM weft_raw.parts FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String}))
    UNION ALL
    SELECT e.tenant, 'queue_visit', e.conversation_id, e.stint_id, s.stint_no, NULL, true, s.is_reopen, e.channel,
        e.account_id, e.customer_key, e.occurred_at, NULL, e.queue_id, '', e.skills, e.language, e.priority, '', false,
        false, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, NULL, 0, '', false, '', '', NULL
    FROM weft_raw.queue_entries AS e FINAL
    LEFT JOIN weft_raw.stints AS s ON s.tenant = e.tenant AND s.stint_id = e.stint_id
    WHERE ({tenant:String} = '*' OR e.tenant = {tenant:String}) AND {time_field:String} = 'active'
        AND (e.stint_id, e.visit_no) NOT IN (SELECT stint_id, visit_no FROM weft_raw.queue_visits FINAL WHERE ({tenant:String} = '*' OR tenant = {tenant:String})))
SELECT
    r.tenant AS tenant,
    r.row_kind AS row_kind,
    r.conversation_id AS conversation_id,
    r.stint_id AS stint_id,
    r.stint_no AS stint_no,
    r.part_id AS part_id,
    r.is_open AS is_open,
    r.is_reopen AS is_reopen,
    'message' AS media_type,
    r.message_type AS message_type,
    r.account_id AS account_id,
    r.customer_key AS customer_key,
    span.is_new_customer AS is_new_customer,
    stint.initiator AS initiator,
    toBool(counted.messages_in > 0) AS customer_participated,
    span.entry_point AS entry_point,
    r.started AS started_utc,
    toTimeZone(r.started, {tz:String}) AS started_local,
    r.ended AS ended_utc,
    toTimeZone(r.ended, {tz:String}) AS ended_local,
    r.queue_id AS queue_id,
    q.queue_name AS queue_name,
    r.agent_id AS agent_id,
    ag.agent_name AS agent_name,
    r.skills AS skills,
    r.language AS language,
    r.priority AS priority,
    r.routing_method AS routing_method,
    r.is_answered AS is_answered,
    r.is_abandoned AS is_abandoned,
    r.wait_s AS wait_s,
    r.alert_s AS alert_s,
    r.talk_s AS talk_s,
    r.hold_s AS hold_s,
    r.acw_s AS acw_s,
    r.handle_s AS handle_s,
    CAST(NULL, 'Nullable(Float64)') AS focused_s,
    r.waiting_for_customer_s AS waiting_for_customer_s,
    r.waiting_for_agent_s AS waiting_for_agent_s,
    CAST(NULL, 'Nullable(Float64)') AS parked_s,
    r.part_s AS part_s,
    dateDiff('millisecond', stint.started_at, stint.ended_at) / 1000 AS stint_s,
    dateDiff('millisecond', span.opened_at, span.closed_at) / 1000 AS conversation_s,
    r.messages_in AS messages_in,
    r.messages_out AS messages_out,
    toInt64(counted.messages_bot) AS messages_bot,
    CAST(NULL, 'Nullable(Float64)') AS bot_turns,
    CAST(NULL, 'Nullable(Bool)') AS is_self_served,
    r.first_response_s AS first_response_s,
    r.response_s AS response_s,
    r.response_count AS response_count,
    r.transfer_kind AS transfer_kind,
    r.is_consult_transfer AS is_consult_transfer,
    r.wrap_up_code AS wrap_up_code,
    r.end_cause AS end_cause,
    r.is_service_level_met AS is_service_level_met,
    toInt64(failed.delivery_failures) AS delivery_failures
FROM rows AS r
LEFT JOIN weft_raw.stints AS stint ON stint.tenant = r.tenant AND stint.stint_id = r.stint_id
LEFT JOIN weft_raw.conversation_spans AS span
    ON span.tenant = r.tenant AND span.conversation_id = r.conversation_id
LEFT JOIN counted ON counted.tenant = r.tenant AND counted.counted_stint = r.stint_id
LEFT JOIN failed ON failed.tenant = r.tenant AND failed.failed_part = r.part_id
LEFT JOIN weft.queues AS q ON q.tenant = r.tenant AND q.queue_id = r.queue_id
LEFT JOIN weft.agents AS ag ON ag.tenant = r.tenant AND ag.agent_id = r.agent_id
WHERE multiIf(
    {time_field:String} = 'started', r.started >= {from_time:DateTime64(3, 'UTC')} AND r.started < {to_time:DateTime64(3, 'UTC')},
    {time_field:String} = 'active', r.started < {to_time:DateTime64(3, 'UTC')}
        AND (isNull(r.ended) OR r.ended >= {from_time:DateTime64(3, 'UTC')}),
    r.ended >= {from_time:DateTime64(3, 'UTC')} AND r.ended < {to_time:DateTime64(3, 'UTC')})
ORDER BY r.started, r.stint_id, r.part_id
COMMENT 'Interaction Details. Grain: one row per agent part (row_kind agent_part), per queue visit without an agent (queue_visit) and per flow-only stint (flow).';

CREATE OR REPLACE VIEW weft.report_interaction_details SQL SECURITY INVOKER AS
SELECT * FROM weft.report_interaction_details_v1(tenant = {tenant:String}, from_time = {from_time:DateTime64(3, 'UTC')}, to_time = {to_time:DateTime64(3, 'UTC')}, tz = {tz:String}, time_field = {time_field:String})
COMMENT 'Interaction Details. Grain: one row per agent part (row_kind agent_part), per queue visit without an agent (queue_visit) and per flow-only stint (flow).';
