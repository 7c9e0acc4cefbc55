//! Approved templates, as `provider_fields` names them: `template.name`, `template.language`, and the
//! values of its holes as `template.body.1` …, `template.header.1` …, `template.button.0` … (the
//! payload of a quick-reply button). An attachment is the header's picture, film or document.

use schemas::records::{Attachment, Content};

/// A template and what fills it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Template {
    /// Its name at the provider.
    pub name: String,
    /// Its language, as the provider writes it: `en_US`.
    pub language: String,
    /// Texts of the header's holes.
    pub header: Vec<String>,
    /// The header's media.
    pub media: Option<Attachment>,
    /// Texts of the body's holes.
    pub body: Vec<String>,
    /// Payloads of quick-reply buttons, by the button's index.
    pub buttons: Vec<(usize, String)>,
}

impl Template {
    /// What a message says of its template; `None` without a name.
    pub(super) fn read(content: &Content) -> Option<Self> {
        let field = |name: &str| content.provider_fields.get(&format!("template.{name}")).cloned();
        let holes = |of: &str| (1..).map_while(|no: usize| field(&format!("{of}.{no}"))).collect();
        let button = |no| field(&format!("button.{no}")).map(|payload| (no, payload));
        Some(Self {
            name: field("name")?,
            language: field("language").unwrap_or_else(|| "en_US".into()),
            header: holes("header"),
            media: content.attachments.first().cloned(),
            body: holes("body"),
            buttons: (0..10).filter_map(button).collect(),
        })
    }
}
