//! Attachments by link, and as a line of text where the channel takes no such thing.

use schemas::records::Attachment;

use super::{Media, Painter, Part};

/// The map that a place is shown on where the channel has none.
const MAP: &str = "https://www.openstreetmap.org/?";

/// Whether it can be shown at all: a place by its coordinates, all else by its address.
pub(super) fn is_reachable(attachment: &Attachment) -> bool {
    let is_link = |url: &str| url.starts_with("https://") || url.starts_with("http://");
    let is_sound = |url: &str| !url.contains(|c: char| c.is_whitespace() || c.is_control());
    match &attachment.url {
        Some(url) => is_link(url) && is_sound(url),
        None => place(attachment).is_some() || is_card(attachment),
    }
}

/// A card may have no picture.
fn is_card(attachment: &Attachment) -> bool {
    attachment.attachment_type == "card" && attachment.title.is_some()
}

/// Latitude and longitude, degrees.
pub(super) fn place(attachment: &Attachment) -> Option<(f64, f64)> {
    attachment.latitude.zip(attachment.longitude)
}

impl Painter<'_> {
    pub(super) fn attachments(self) -> Vec<Part> {
        self.content.attachments.iter().flat_map(|attachment| self.attachment(attachment)).collect()
    }

    fn attachment(self, attachment: &Attachment) -> Vec<Part> {
        if place(attachment).is_some() {
            let native = self.table.location.then(|| vec![Part::Location(attachment.clone())]);
            return native.unwrap_or_else(|| self.plain(&in_words(attachment)));
        }
        self.media(attachment).unwrap_or_else(|| self.plain(&in_words(attachment)))
    }

    /// The attachment by link, and what is said of it where no caption can say it.
    pub(super) fn media(self, attachment: &Attachment) -> Option<Vec<Part>> {
        let link = attachment.url.clone().filter(|url| url.starts_with("https://"))?;
        let media = self.table.media.iter().find(|media| media.attachment == attachment.attachment_type)?;
        if attachment.size_bytes.is_some_and(|size| size > media.size_max) {
            return None;
        }
        let said = words(attachment);
        let caption = media.caption.filter(|limit| limit.fits(&said)).and(Some(said.clone())).filter(|s| !s.is_empty());
        let after = if caption.is_some() { Vec::new() } else { self.plain(&said) };
        let file_name = attachment.file_name.clone();
        let part = Part::Media(Media { kind: media.kind, link, caption, file_name });
        Some(std::iter::once(part).chain(after).collect())
    }

    /// The only attachment with the message's text below it, if it takes one.
    pub(super) fn captioned(self, media: &Media) -> Option<Part> {
        let text = self.content.text.as_deref().filter(|text| !text.trim().is_empty())?;
        let limit = self.table.media.iter().find(|one| one.kind == media.kind)?.caption?;
        let caption = media.caption.as_ref().map_or_else(|| text.to_owned(), |own| format!("{text}\n{own}"));
        limit.fits(&caption).then(|| Part::Media(Media { caption: Some(caption), ..media.clone() }))
    }
}

/// Title and caption.
fn words(attachment: &Attachment) -> String {
    let words = [&attachment.title, &attachment.caption];
    words.into_iter().flatten().map(String::as_str).collect::<Vec<_>>().join("\n")
}

/// All that a text can say of it.
fn in_words(attachment: &Attachment) -> String {
    let map = place(attachment).map(|(lat, long)| format!("{MAP}mlat={lat}&mlon={long}"));
    let words = Some(words(attachment)).filter(|words| !words.is_empty());
    let name = attachment.file_name.clone();
    [words, name, attachment.url.clone(), map].into_iter().flatten().collect::<Vec<_>>().join("\n")
}
