//! Files that guests may send: what the deployment allows, by name, type and size, before an address
//! is given for it.

use schemas::config::Uploads;

use super::refusal::{Code, Refusal};

const NAME_CHARS_MAX: usize = 1_023;
/// Files that a receiver's system would run are never taken, whatever their type is said to be.
const BLOCKED: [&str; 24] = [
    "apk", "app", "bat", "cmd", "com", "cpl", "dll", "dmg", "exe", "hta", "htm", "html", "jar", "js", "lnk", "msi",
    "pif", "ps1", "scr", "sh", "svg", "vbs", "wsf", "xhtml",
];

/// A file that a guest wants to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileOffer {
    /// Its name, with an extension.
    pub name: String,
    /// Its media type.
    pub mime: String,
    /// Its size, bytes.
    pub size_bytes: i64,
}

/// Whether it may be sent.
///
/// # Errors
/// Why not.
pub fn judge(offer: &FileOffer, rules: &Uploads) -> Result<(), Refusal> {
    if offer.name.chars().count() > NAME_CHARS_MAX {
        return Err(Refusal::new(Code::NameTooLong, format!("fileName: at most {NAME_CHARS_MAX} characters")));
    }
    let extension = offer.name.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, ending)| ending);
    let is_path = offer.name.contains(['/', '\\', '\0']);
    let Some(extension) = extension.filter(|ending| !ending.is_empty() && !is_path) else {
        return Err(Refusal::new(Code::FileName, "fileName: expected a name with an extension"));
    };
    let extension = extension.to_ascii_lowercase();
    if BLOCKED.contains(&extension.as_str()) || !admits(rules, &offer.mime) {
        return Err(Refusal::new(Code::FileType, "fileType: not among those that this deployment takes"));
    }
    if !(1..=rules.bytes_max).contains(&offer.size_bytes) {
        return Err(Refusal::new(Code::FileSize, format!("fileSize: expected 1 to {} bytes", rules.bytes_max)));
    }
    Ok(())
}

fn admits(rules: &Uploads, mime: &str) -> bool {
    let mime = mime.to_ascii_lowercase();
    rules.types.iter().any(|allowed| match allowed.strip_suffix("/*") {
        Some(family) => mime.split_once('/').is_some_and(|(of, _)| of == family),
        None => *allowed == mime,
    })
}

/// What kind of attachment a media type makes.
pub fn kind(mime: &str) -> &'static str {
    match mime.split('/').next() {
        Some("image") => "image",
        Some("audio") => "audio",
        Some("video") => "video",
        Some(_) | None => "file",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_judged_by_its_name_its_type_and_its_size() {
        let rules = Uploads { types: vec!["image/*".into(), "application/pdf".into()], bytes_max: 10 };
        let long = format!("{}.png", "x".repeat(1_024));
        for (name, mime, size_bytes, expected) in [
            ("cat.png", "image/png", 10, None),
            ("cat.PNG", "IMAGE/PNG", 1, None),
            ("a.b.pdf", "application/pdf", 1, None),
            ("cat.png", "image/png", 11, Some(Code::FileSize)),
            ("cat.png", "image/png", 0, Some(Code::FileSize)),
            ("cat", "image/png", 1, Some(Code::FileName)),
            (".png", "image/png", 1, Some(Code::FileName)),
            ("../cat.png", "image/png", 1, Some(Code::FileName)),
            (long.as_str(), "image/png", 1, Some(Code::NameTooLong)),
            ("cat.exe", "image/png", 1, Some(Code::FileType)),
            ("cat.svg", "image/svg+xml", 1, Some(Code::FileType)),
            ("cat.txt", "text/plain", 1, Some(Code::FileType)),
        ] {
            let offer = FileOffer { name: name.into(), mime: mime.into(), size_bytes };
            assert_eq!(judge(&offer, &rules).err().map(|refusal| refusal.code), expected, "{name} {mime} {size_bytes}");
        }
    }
}
