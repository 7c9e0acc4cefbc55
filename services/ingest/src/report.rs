//! What `weft channel parse` prints.

use serde_json::Value;

use crate::intake::channels::{open, whatsapp};
use crate::intake::reading::Reading;

/// One JSON object per event of a webhook body, in the body's order; none for a body of another
/// product. `kind` is a channel kind as in `weft channel parse KIND`.
///
/// # Errors
/// In words for people: the body could not be read at all, or the channel is not supported.
pub fn parse_report(kind: &str, body: &[u8]) -> Result<Vec<Value>, String> {
    let readings = match kind {
        "whatsapp" => whatsapp::read(body).map_err(|error| error.to_string())?,
        "open" => open::read(body).map_err(|error| error.to_string())?,
        "facebook" | "instagram" | "twitter" => return Err(format!("{kind} is not supported yet")),
        other => {
            return Err(format!("expected whatsapp, facebook, instagram, twitter or open, found {other}"));
        }
    };
    Ok(readings.iter().map(Reading::report).collect())
}
