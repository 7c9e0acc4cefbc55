//! Every metric of this service.

telemetry::metrics! {
    /// What the gateway counts.
    pub struct Metrics {
        /// Records read.
        records_in: IntCounterVec = "records_in_total" ["service", "topic"],
        /// Records published.
        records_out: IntCounterVec = "records_out_total" ["service", "topic"],
        /// Records that could not be read, by reason; another service of the topic keeps them as
        /// dead letters.
        unreadable: IntCounterVec = "gateway_unreadable_total" ["topic", "reason"],
        /// Open sockets.
        sockets: IntGauge = "gateway_sockets" [],
        /// Sockets closed by us, by reason.
        sockets_closed: IntCounterVec = "gateway_sockets_closed_total" ["reason"],
        /// Frames sent, by type.
        frames_out: IntCounterVec = "gateway_frames_out_total" ["type"],
        /// Commands of agents, by outcome: done, refused, no_answer_yet, not_durable.
        commands: IntCounterVec = "gateway_commands_total" ["command", "outcome"],
        /// Connection notices and records about guests dropped because too many waited; later ones say the same.
        notices_dropped: IntCounter = "gateway_notices_dropped_total" [],
        /// Open sockets of guests.
        guest_sockets: IntGauge = "gateway_guest_sockets" [],
        /// Frames sent to guests, by class.
        guest_frames_out: IntCounterVec = "gateway_guest_frames_out_total" ["class"],
        /// Requests of guests, by outcome: done, refused.
        guest_requests: IntCounterVec = "gateway_guest_requests_total" ["action", "outcome"],
        /// From asking to the event that decided, in seconds.
        command_seconds: HistogramVec = "gateway_command_seconds" ["command"]
            buckets [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0],
    }
}
