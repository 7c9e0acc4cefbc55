-- How fresh the facts are, what each report column means, and the parameterless form of Interaction Details.
CREATE OR REPLACE VIEW weft.data_complete_until SQL SECURITY INVOKER AS
SELECT min(complete_until) AS complete_until_utc
FROM (
    SELECT src_topic, src_partition, argMax(complete_until, next_offset) AS complete_until
    FROM weft_raw.progress FINAL
    WHERE {tenant:String} != '' AND src_topic IN ('conversation.events', 'routing.events', 'delivery.events')
    GROUP BY src_topic, src_partition)
COMMENT 'One row: everything recorded before complete_until_utc is in the facts. Partitions are shared by tenants, so it is the same for all; a partition in which nothing happens holds it back until its next record.';

CREATE OR REPLACE VIEW weft.interaction_details SQL SECURITY INVOKER AS
SELECT * FROM weft.report_interaction_details_v1(tenant = '*', from_time = '1970-01-01 00:00:00', to_time = '2100-01-01 00:00:00',
    tz = 'UTC', time_field = 'completed')
COMMENT 'Interaction Details without parameters for BI tools: every tenant that row policies let through, UTC.';

CREATE OR REPLACE VIEW weft.report_columns (
    view String COMMENT 'View, without its version.',
    column String COMMENT 'Column.',
    type String COMMENT 'Type.',
    comment String COMMENT 'Meaning, unit, formula and meaning of null.'
) SQL SECURITY INVOKER AS
SELECT replaceRegexpOne(name, '_v1$', '') AS view, part[1] AS column, part[2] AS type, replaceAll(part[3], '\\\'', '\'') AS comment
FROM (
    SELECT name, arrayJoin(extractAllGroups(create_table_query, '`(\\w+)` ([^`]+?) COMMENT \'((?:[^\'\\\\]|\\\\.)*)\'')) AS part
    FROM system.tables WHERE database = 'weft' AND endsWith(name, '_v1'))
COMMENT 'One row per column of each report: the documentation that parameterized views cannot carry in system.columns.';
