//! W3C trace context, as it travels in the header `traceparent`.

use std::fmt;
use std::str::FromStr;

/// Which trace a piece of work belongs to and which step it is. Ids come from the ids of records,
/// never from chance: a replay makes the same trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

/// A `traceparent` that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("expected 00-<32 hex digits>-<16 hex digits>-<2 hex digits> with ids other than zero")]
pub struct TraceError;

impl TraceContext {
    /// A new trace, named after the record that starts it.
    pub fn root(id: [u8; 16]) -> Self {
        let trace_id = u128::from_be_bytes(id).max(1);
        Self { trace_id, span_id: span_of(trace_id, id), sampled: true }
    }

    /// The next step of the same trace, named after the record it makes.
    pub fn child(self, id: [u8; 16]) -> Self {
        Self { span_id: span_of(self.trace_id, id), ..self }
    }

    /// The trace's id: 32 hex digits.
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The step's id: 16 hex digits.
    pub fn span_id(&self) -> String {
        format!("{:016x}", self.span_id)
    }
}

/// The id mixed with the trace's, so that the same record in another trace is another span.
fn span_of(trace_id: u128, id: [u8; 16]) -> u64 {
    let mixed = u128::from_be_bytes(id) ^ trace_id.rotate_left(29);
    let (high, low) = ((mixed >> 64) as u64, mixed as u64);
    (high.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ low.rotate_left(32)).max(1)
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "00-{:032x}-{:016x}-{:02x}", self.trace_id, self.span_id, u8::from(self.sampled))
    }
}

impl FromStr for TraceContext {
    type Err = TraceError;

    /// Reads version 00 and, as the standard asks, later versions' first four parts.
    fn from_str(text: &str) -> Result<Self, TraceError> {
        let mut parts = text.split('-');
        let mut hex = |digits: usize| {
            let part = parts.next().ok_or(TraceError)?;
            let lower = part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
            if part.len() != digits || !lower {
                return Err(TraceError);
            }
            u128::from_str_radix(part, 16).map_err(|_| TraceError)
        };
        let (version, trace_id, span_id, flags) = (hex(2)?, hex(32)?, hex(16)?, hex(2)?);
        let more = parts.next().is_some();
        if version == 0xff || (version == 0 && more) || trace_id == 0 || span_id == 0 {
            return Err(TraceError);
        }
        Ok(Self { trace_id, span_id: span_id as u64, sampled: flags & 1 == 1 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_again() {
        let text = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let context: TraceContext = text.parse().unwrap();
        assert_eq!(context.to_string(), text);
        assert_eq!(context.trace_id(), "4bf92f3577b34da6a3ce929d0e0e4736");
        assert_eq!(context.span_id(), "00f067aa0ba902b7");
    }

    #[test]
    fn a_child_stays_in_the_trace_and_the_same_cause_makes_the_same_child() {
        let root = TraceContext::root([7; 16]);
        let child = root.child([8; 16]);
        assert_eq!(child.trace_id(), root.trace_id());
        assert_ne!(child.span_id(), root.span_id());
        assert_eq!(child, root.child([8; 16]));
        assert_eq!(child.to_string().parse(), Ok(child));
        assert!(TraceContext::root([0; 16]).to_string().parse::<TraceContext>().is_ok());
    }

    #[test]
    fn what_the_standard_forbids_is_refused() {
        let (trace, span) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for text in [
            String::new(),
            format!("00-{trace}-{span}"),
            format!("00-{trace}-{span}-01-more"),
            format!("ff-{trace}-{span}-01"),
            format!("00-{}-{span}-01", "0".repeat(32)),
            format!("00-{trace}-{}-01", "0".repeat(16)),
            format!("00-{}-{span}-01", trace.to_uppercase()),
            format!("00-{trace}-{span}-0+"),
        ] {
            assert_eq!(text.parse::<TraceContext>(), Err(TraceError), "{text}");
        }
        assert!(format!("01-{trace}-{span}-01-more").parse::<TraceContext>().is_ok());
    }
}
