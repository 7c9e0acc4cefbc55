//! One frame: what is synced at one time, encrypted and authenticated.
//!
//! A file begins with `weftspl1`, 32 bytes of salt and a check of the key; then come frames: `FRAM`,
//! the length of the body (u32), its number in the file (u64), the body. Each file has a key of its
//! own, made from the salt, so that the number is a good nonce.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use hmac::{Hmac, KeyInit, Mac};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use stream::Output;
use subtle::ConstantTimeEq;

pub(super) const SALT_BYTES: usize = 32;
const MAGIC: &[u8; 8] = b"weftspl1";
/// Bytes before the first frame.
pub(super) const PREAMBLE_BYTES: usize = MAGIC.len() + SALT_BYTES + 32;
const MARK: &[u8; 4] = b"FRAM";
/// Bytes before a body.
pub(super) const HEAD_BYTES: usize = 16;

/// Makes the keys of files.
pub(super) struct Master([u8; 32]);

impl Master {
    /// From the secret that every file of this folder is written with.
    pub(super) fn new(secret: &[u8]) -> Self {
        Self(mac(secret, &[b"weft ingest spool"]))
    }

    /// The key of a file.
    pub(super) fn cipher(&self, salt: &[u8; SALT_BYTES]) -> Cipher {
        let key = mac(&self.0, &[b"file", salt]);
        let unbound = UnboundKey::new(&AES_256_GCM, &key).expect("the key has 32 bytes");
        Cipher { key: LessSafeKey::new(unbound), check: mac(&self.0, &[b"check", salt]) }
    }
}

fn mac(secret: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).expect("HMAC takes keys of any length");
    for part in parts {
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

/// Encrypts and decrypts the frames of one file.
pub(super) struct Cipher {
    key: LessSafeKey,
    check: [u8; 32],
}

/// What the first bytes of a file say.
pub(super) enum Preamble {
    /// The salt of its key.
    Salt([u8; SALT_BYTES]),
    /// It was never finished.
    Torn,
}

/// Reads the first bytes of a file.
pub(super) fn preamble(bytes: &[u8]) -> Preamble {
    let salt = bytes.get(MAGIC.len()..MAGIC.len() + SALT_BYTES).and_then(|salt| salt.try_into().ok());
    match salt {
        Some(salt) if bytes.len() >= PREAMBLE_BYTES && bytes.starts_with(MAGIC) => Preamble::Salt(salt),
        Some(_) | None => Preamble::Torn,
    }
}

impl Cipher {
    /// The first bytes of a file with this salt.
    pub(super) fn preamble(&self, salt: &[u8; SALT_BYTES]) -> Vec<u8> {
        [MAGIC.as_slice(), salt, &self.check].concat()
    }

    /// Whether these first bytes were written with the same secret.
    pub(super) fn wrote(&self, preamble: &[u8]) -> bool {
        let check = preamble.get(PREAMBLE_BYTES - self.check.len()..PREAMBLE_BYTES);
        check.is_some_and(|check| bool::from(check.ct_eq(&self.check)))
    }

    /// A frame of these records; `None` if they are too many for one.
    pub(super) fn seal(&self, number: u64, records: &[Output]) -> Option<Vec<u8>> {
        let mut body = rmp_serde::to_vec(&records.iter().map(Kept::of).collect::<Vec<_>>()).ok()?;
        let length = u32::try_from(body.len() + self.key.algorithm().tag_len()).ok()?;
        let head = head(length, number);
        self.key.seal_in_place_append_tag(nonce(number), Aad::from(&head), &mut body).ok()?;
        Some([head.as_slice(), &body].concat())
    }

    /// The records of the frame at the beginning of these bytes, and its length; `None` if there is
    /// no whole and genuine frame of that number.
    pub(super) fn open(&self, number: u64, bytes: &[u8]) -> Option<(Vec<Output>, usize)> {
        let given = bytes.get(..HEAD_BYTES)?;
        let length = u32::from_le_bytes(given.get(4..8)?.try_into().ok()?);
        if given != head(length, number) {
            return None;
        }
        let end = HEAD_BYTES.checked_add(usize::try_from(length).ok()?)?;
        let mut body = bytes.get(HEAD_BYTES..end)?.to_vec();
        let plain = self.key.open_in_place(nonce(number), Aad::from(given), &mut body).ok()?;
        let kept: Vec<Kept<'_>> = rmp_serde::from_slice(plain).ok()?;
        Some((kept.into_iter().map(Kept::into_output).collect(), end))
    }

    /// Whether a genuine frame begins anywhere in these bytes.
    pub(super) fn finds_any(&self, bytes: &[u8]) -> bool {
        let marks = bytes.windows(MARK.len()).enumerate().filter(|(_, window)| window == MARK);
        marks.map(|(at, _)| &bytes[at..]).any(|rest| {
            let number = rest.get(8..HEAD_BYTES).and_then(|number| number.try_into().ok()).map(u64::from_le_bytes);
            number.is_some_and(|number| self.open(number, rest).is_some())
        })
    }
}

fn head(length: u32, number: u64) -> [u8; HEAD_BYTES] {
    let mut head = [0; HEAD_BYTES];
    head[..4].copy_from_slice(MARK);
    head[4..8].copy_from_slice(&length.to_le_bytes());
    head[8..].copy_from_slice(&number.to_le_bytes());
    head
}

fn nonce(number: u64) -> Nonce {
    let mut nonce = [0; 12];
    nonce[..8].copy_from_slice(&number.to_le_bytes());
    Nonce::assume_unique_for_key(nonce)
}

/// A record as it lies on disk.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    topic: &'a str,
    #[serde(with = "serde_bytes")]
    key: &'a [u8],
    #[serde(with = "serde_bytes")]
    payload: Option<&'a [u8]>,
    partition: Option<i32>,
    #[serde(borrow)]
    headers: Vec<(&'a str, &'a serde_bytes::Bytes)>,
}

impl<'a> Kept<'a> {
    fn of(output: &'a Output) -> Self {
        Self {
            topic: &output.topic,
            key: &output.key,
            payload: output.payload.as_deref(),
            partition: output.partition,
            headers: output.headers.iter().map(|(name, value)| (&**name, serde_bytes::Bytes::new(value))).collect(),
        }
    }

    fn into_output(self) -> Output {
        Output {
            topic: self.topic.to_owned().into(),
            key: self.key.to_vec(),
            payload: self.payload.map(<[u8]>::to_vec),
            partition: self.partition,
            headers: self.headers.into_iter().map(|(name, value)| (name.to_owned().into(), value.to_vec())).collect(),
        }
    }
}
