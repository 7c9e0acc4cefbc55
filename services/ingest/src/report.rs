//! What `weft channel parse` prints.

use serde_json::Value;

use crate::intake::channels::{facebook, instagram, open, twitter, whatsapp};
use crate::intake::reading::Reading;

/// One JSON object per event of a webhook body, in the body's order; none for a body of another
/// product. `kind` is a channel kind as in `weft channel parse KIND`.
///
/// # Errors
/// In words for people: the body could not be read at all, or there is no such channel.
pub fn parse_report(kind: &str, body: &[u8]) -> Result<Vec<Value>, String> {
    let readings = match kind {
        "whatsapp" => whatsapp::read(body),
        "facebook" => facebook::read(body),
        "instagram" => instagram::read(body),
        "twitter" => twitter::read(body),
        "open" => open::read(body),
        other => return Err(format!("expected whatsapp, facebook, instagram, twitter or open, found {other}")),
    };
    let readings = readings.map_err(|error| error.to_string())?;
    Ok(readings.iter().map(Reading::report).collect())
}
