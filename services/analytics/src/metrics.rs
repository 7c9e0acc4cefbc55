//! Every metric of this service, beside those of the runtime.

telemetry::metrics! {
    /// What analytics counts.
    pub struct Metrics {
        /// One insert into one fact table, in seconds.
        insert_seconds: HistogramVec = "clickhouse_insert_seconds" ["table"],
        /// Rows written by fact table.
        rows: IntCounterVec = "clickhouse_rows_total" ["table"],
        /// Age of the oldest event of the last batch when it became visible, in seconds.
        freshness_seconds: Gauge = "clickhouse_freshness_seconds" [],
    }
}
