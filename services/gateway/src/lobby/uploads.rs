//! Files of guests: an address to put one under, and what lies there when a message names it. The file
//! itself never passes here.

use aws_lc_rs::rand::{SecureRandom, SystemRandom};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use objects::{Media, ObjectRef};
use schemas::records::{Attachment, Content};
use stream::clock;

use super::frames::{Line, Presigned};
use super::{Chair, Lobby};
use crate::core::guests::session::Session;
use crate::core::guests::shown::Shown;
use crate::core::guests::uploads::{self, FileOffer};
use crate::core::guests::{Code, Refusal};

impl Lobby {
    /// Where a guest may put a file.
    ///
    /// # Errors
    /// The deployment does not take it, or the session is over.
    pub fn upload(&self, chair: &Chair, session: &Session, offer: &FileOffer) -> Result<Presigned, Refusal> {
        self.lock().guests.session(&chair.door, &session.id, clock::now())?;
        let unavailable = || Refusal::new(Code::Unavailable, "this deployment takes no files");
        let rules = chair.door.at.spec.messenger.uploads.as_ref().ok_or_else(unavailable)?;
        let media = self.shared.media.as_ref().ok_or_else(unavailable)?;
        uploads::judge(offer, rules)?;
        if !media.settings.admits(&offer.mime) {
            return Err(Refusal::new(Code::FileType, "fileType: not among those that are kept here"));
        }
        let size = u64::try_from(offer.size_bytes).unwrap_or(u64::MAX);
        if size > media.settings.bytes_max {
            return Err(Refusal::new(Code::FileSize, format!("fileSize: at most {} bytes", media.settings.bytes_max)));
        }
        let mut name = [0u8; 16];
        let filled = SystemRandom::new().fill(&mut name);
        filled.map_err(|_| Refusal::new(Code::Unexpected, "no randomness"))?;
        let name = format!("g{}", URL_SAFE_NO_PAD.encode(name));
        let object = ObjectRef::new(session.tenant.as_str(), &session.customer().to_string(), &name, &offer.mime);
        let object = object.map_err(|_| Refusal::new(Code::FileType, "fileType: expected a media type"))?;
        let url = media.links.upload(&object, size, now_s());
        let headers = [("content-type".to_owned(), object.mime().to_owned())].into();
        Ok(Presigned { attachment_id: object.to_string(), url, method: "PUT", headers })
    }

    /// Where a guest may have a file again that is theirs.
    ///
    /// # Errors
    /// It is not theirs, or there is none.
    pub fn download(&self, session: &Session, id: &str) -> Result<String, Refusal> {
        let (media, object) = self.theirs(session, id)?;
        Ok(media.links.download(&object, None, now_s()))
    }

    /// Looks at what lies under the attachments that a message of the guest names.
    ///
    /// # Errors
    /// One is not theirs, or was not uploaded.
    pub async fn look_up(&self, session: &Session, content: &mut Content) -> Result<(), Refusal> {
        for attachment in &mut content.attachments {
            let id = attachment.stored_ref.clone().unwrap_or_default();
            let (media, object) = self.theirs(session, &id)?;
            let size = media.objects.size_of(&object).await.map_err(|error| {
                tracing::error!(%error, "media cannot be reached");
                Refusal::new(Code::Unexpected, "files cannot be reached: the same again is safe")
            })?;
            let size = size.ok_or_else(|| Refusal::new(Code::AttachmentNotUploaded, "the file was not uploaded"))?;
            attachment.attachment_type = uploads::kind(object.mime()).to_owned();
            attachment.mime = Some(object.mime().to_owned());
            attachment.size_bytes = Some(i64::try_from(size).unwrap_or(i64::MAX));
        }
        if let Some(first) = content.attachments.first() {
            content.content_kind = first.attachment_type.parse().unwrap_or_default();
        }
        Ok(())
    }

    /// Where a guest finds an attachment: by its own link, or by an address for a while.
    fn link(&self, attachment: &Attachment) -> Option<String> {
        let stored = attachment.stored_ref.as_deref().and_then(|stored| ObjectRef::parse(stored).ok());
        match (self.shared.media.as_ref(), stored) {
            (Some(media), Some(object)) => {
                Some(media.links.download(&object, attachment.file_name.as_deref(), now_s()))
            }
            (None, _) | (_, None) => attachment.url.clone(),
        }
    }

    /// A message as a guest sees it now.
    pub fn line<'a>(&self, shown: &'a Shown) -> Line<'a> {
        Line::of(shown, |attachment| self.link(attachment))
    }

    fn theirs(&self, session: &Session, id: &str) -> Result<(&Media, ObjectRef), Refusal> {
        let media = self.shared.media.as_deref();
        let media = media.ok_or_else(|| Refusal::new(Code::Unavailable, "no files are kept here"))?;
        let object = ObjectRef::parse(id).ok();
        let owner = session.customer().to_string();
        let object = object.filter(|object| object.is_of(session.tenant.as_str(), &owner));
        let object = object.ok_or_else(|| Refusal::new(Code::AttachmentNotFound, "no such file of this session"))?;
        Ok((media, object))
    }
}

fn now_s() -> i64 {
    clock::now().as_ms().div_euclid(1_000)
}
