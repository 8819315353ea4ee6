//! Content digests: sha256 and sha512, as bytes.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The digest of a blob or manifest (OCI image spec, "Digests"). Written `sha256:` and 64, or `sha512:` and 128,
/// lowercase hexadecimal digits; no other algorithm or spelling is a digest.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Digest {
    /// SHA-256, what clients name content by.
    Sha256([u8; 32]),
    /// SHA-512, allowed by the image spec.
    Sha512([u8; 64]),
}

/// Text that is not a digest.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct DigestError {
    pub(crate) text: String,
}

impl Digest {
    /// `sha256` or `sha512`.
    pub fn algorithm(&self) -> &'static str {
        match self {
            Self::Sha256(_) => "sha256",
            Self::Sha512(_) => "sha512",
        }
    }

    /// The hexadecimal digits after the colon.
    pub fn hex(&self) -> String {
        match self {
            Self::Sha256(bytes) => hex::encode(bytes),
            Self::Sha512(bytes) => hex::encode(bytes),
        }
    }

    /// The first twelve digits, as Docker shows an id.
    pub fn short(&self) -> String {
        self.hex()[..12].to_owned()
    }
}

/// The specification knows lowercase digits only; capitals would give one content two names.
fn bytes_of<const N: usize>(digits: &str) -> Option<[u8; N]> {
    if digits.bytes().any(|digit| digit.is_ascii_uppercase()) {
        return None;
    }
    let mut bytes = [0; N];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some(bytes)
}

impl FromStr for Digest {
    type Err = DigestError;

    fn from_str(text: &str) -> Result<Self, DigestError> {
        let digest = match text.split_once(':') {
            Some(("sha256", digits)) => bytes_of(digits).map(Self::Sha256),
            Some(("sha512", digits)) => bytes_of(digits).map(Self::Sha512),
            _ => None,
        };
        digest.ok_or_else(|| DigestError { text: text.chars().take(160).collect() })
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.algorithm(), self.hex())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_reads_back_what_it_wrote() {
        let text = format!("sha256:{}", "0f".repeat(32));
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
        let text = format!("sha512:{}", "a1".repeat(64));
        assert_eq!(text.parse::<Digest>().unwrap().to_string(), text);
    }

    #[test]
    fn nothing_else_is_a_digest() {
        let upper = format!("sha256:{}", "0F".repeat(32));
        let short = format!("sha256:{}", "0f".repeat(31));
        let mixed = format!("sha256:{}", "0f".repeat(64));
        for text in ["", "sha256:", "sha256:baddigeststring", "md5:00", &upper, &short, &mixed] {
            assert!(text.parse::<Digest>().is_err(), "{text} must not parse");
        }
    }
}
