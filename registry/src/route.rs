//! Paths under `/v2/`. Repository names contain slashes, so a path is read from the right; its text reaches the rest of the
//! registry only as parsed names, digests and ids.

use std::fmt;
use std::str::FromStr;

use http::Method;
use model::{Digest, NameError, Reference, RepositoryName, TagName};
use percent_encoding::percent_decode_str;

use crate::error_kind::ErrorKind;

/// The meaning of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Route {
    /// `/v2/`
    Base,
    /// `/v2/token`
    Token,
    /// `/v2/_catalog`
    Catalog,
    /// `/v2/N/tags/list`
    Tags(RepositoryName),
    /// `/v2/N/blobs/D`
    Blob(RepositoryName, Digest),
    /// `/v2/N/blobs/uploads/`
    Uploads(RepositoryName),
    /// `/v2/N/blobs/uploads/I`
    Upload(RepositoryName, UploadId),
    /// `/v2/N/manifests/R`
    Manifest(RepositoryName, Reference),
    /// `/v2/N/referrers/D`
    Referrers(RepositoryName, Digest),
}

/// Why a path has no meaning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RouteError {
    Nowhere,
    Name(NameError),
    /// Why it is not one, in a sentence.
    Digest(String),
    Tag(NameError),
    Upload,
}

impl Route {
    pub(crate) fn parse(path: &str) -> Result<Self, RouteError> {
        let rest = match path.strip_prefix("/v2") {
            Some("") => "",
            Some(rest) => rest.strip_prefix('/').ok_or(RouteError::Nowhere)?,
            None => return Err(RouteError::Nowhere),
        };
        let segments: Vec<&str> = rest.split('/').collect();
        match segments.as_slice() {
            [""] => Ok(Self::Base),
            ["token"] => Ok(Self::Token),
            ["_catalog"] => Ok(Self::Catalog),
            [name @ .., "blobs", "uploads"] | [name @ .., "blobs", "uploads", ""] => {
                Ok(Self::Uploads(repository(name)?))
            }
            [name @ .., "blobs", "uploads", id] => {
                let name = repository(name)?;
                Ok(Self::Upload(name, id.parse().map_err(|NotAnUpload| RouteError::Upload)?))
            }
            [name @ .., "blobs", text] => Ok(Self::Blob(repository(name)?, digest(text)?)),
            [name @ .., "manifests", text] => {
                Ok(Self::Manifest(repository(name)?, reference(text)?))
            }
            [name @ .., "tags", "list"] => Ok(Self::Tags(repository(name)?)),
            [name @ .., "referrers", text] => Ok(Self::Referrers(repository(name)?, digest(text)?)),
            _ => Err(RouteError::Nowhere),
        }
    }
}

fn repository(segments: &[&str]) -> Result<RepositoryName, RouteError> {
    segments.join("/").parse().map_err(RouteError::Name)
}

/// Some clients percent-encode the colon.
fn digest(text: &str) -> Result<Digest, RouteError> {
    let digest = percent_decode_str(text).decode_utf8_lossy().parse::<Digest>();
    digest.map_err(|error| RouteError::Digest(error.to_string()))
}

/// A tag has no colon, a digest has one; what is encoded without need is no other thing.
fn reference(text: &str) -> Result<Reference, RouteError> {
    let decoded = percent_decode_str(text).decode_utf8_lossy();
    if decoded.contains(':') {
        return digest(text).map(Reference::Digest);
    }
    decoded.parse::<TagName>().map(Reference::Tag).map_err(RouteError::Tag)
}

impl RouteError {
    /// A malformed tag is answered as one that does not exist, unless it is to be created.
    pub(crate) fn kind(self, method: &Method) -> ErrorKind {
        match self {
            Self::Nowhere => ErrorKind::NotFound,
            Self::Name(error) => ErrorKind::InvalidName(error),
            Self::Digest(why) => ErrorKind::InvalidDigest(why),
            Self::Tag(error) if *method == Method::PUT => ErrorKind::InvalidTag(error),
            Self::Tag(error) => ErrorKind::ManifestUnknown(error.text),
            Self::Upload => ErrorKind::UploadUnknown,
        }
    }
}

/// Names an upload: 128 random bits as 32 hexadecimal digits, so that it cannot be guessed.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct UploadId([u8; 16]);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotAnUpload;

impl UploadId {
    pub(crate) fn random() -> Self {
        use rand::Rng as _;
        let mut bytes = [0; 16];
        rand::rng().fill_bytes(&mut bytes);
        Self(bytes)
    }
}

impl FromStr for UploadId {
    type Err = NotAnUpload;

    fn from_str(text: &str) -> Result<Self, NotAnUpload> {
        let lower = text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
        match u128::from_str_radix(text, 16) {
            Ok(number) if lower && text.len() == 32 => Ok(Self(number.to_be_bytes())),
            Ok(_) | Err(_) => Err(NotAnUpload),
        }
    }
}

impl fmt::Display for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for UploadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HEX: &str = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";

    fn name(text: &str) -> RepositoryName {
        text.parse().unwrap()
    }

    #[test]
    fn a_path_is_read_from_the_right() {
        let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
        let tag = |text: &str| Reference::Tag(text.parse().unwrap());
        let check = |path: &str, route: Route| assert_eq!(Route::parse(path), Ok(route), "{path}");
        check("/v2", Route::Base);
        check("/v2/", Route::Base);
        check("/v2/_catalog", Route::Catalog);
        check("/v2/token", Route::Token);
        check("/v2/a/manifests/v%31", Route::Manifest(name("a"), tag("v1")));
        check("/v2/token/manifests/x", Route::Manifest(name("token"), tag("x")));
        check("/v2/a/b/tags/list", Route::Tags(name("a/b")));
        check("/v2/a/tags/list/tags/list", Route::Tags(name("a/tags/list")));
        check(&format!("/v2/a/blobs/b/blobs/{digest}"), Route::Blob(name("a/blobs/b"), digest));
        check(&format!("/v2/a/blobs/sha256%3A{HEX}"), Route::Blob(name("a"), digest));
        check("/v2/a/blobs/uploads/", Route::Uploads(name("a")));
        check("/v2/a/blobs/uploads", Route::Uploads(name("a")));
        check("/v2/blobs/uploads/blobs/uploads/", Route::Uploads(name("blobs/uploads")));
        let manifest = Route::Manifest(name("a/blobs/uploads"), tag("v1"));
        check("/v2/a/blobs/uploads/manifests/v1", manifest);
        let upload = UploadId([0x11; 16]);
        check(&format!("/v2/a/blobs/uploads/{upload}"), Route::Upload(name("a"), upload));
        check(&format!("/v2/a/referrers/{digest}"), Route::Referrers(name("a"), digest));
    }

    #[test]
    fn tricks_with_paths_name_nothing() {
        for path in [
            "/v2/../etc/passwd",
            "/v2/..%2f..%2fetc/manifests/x",
            "/v2//manifests/x",
            "/v2/a//manifests/x",
            "/v2/A/manifests/x",
            "/v2/a/manifests/",
            "/v2/a/manifests/a%2fb",
            "/v2/a/manifests/sha256:baddigeststring",
            "/v2/a/blobs/uploads/../../x",
            "/v2/a/blobs/uploads/00",
            "/v2/a/blobs/sha256:00",
            "/v2/a\0b/manifests/x",
            "/v2/manifests/x",
            "/v2/a/tags/list/",
            "/v2/\u{fc}/manifests/x",
            "/v3/",
            "/v2x/a/manifests/b",
            "",
        ] {
            assert!(Route::parse(path).is_err(), "{path}");
        }
        assert!(matches!(Route::parse("/v2/a/manifests/a%2Bb"), Err(RouteError::Tag(_))));
        let long = format!("/v2/{}/manifests/x", "a".repeat(256));
        assert!(matches!(Route::parse(&long), Err(RouteError::Name(_))));
    }

    proptest! {
        #[test]
        fn no_text_panics_the_dispatcher(path in "(/v2)?[/a-z0-9.%:_\\-]{0,60}|.{0,60}") {
            drop(Route::parse(&path));
        }

        #[test]
        fn every_name_is_found_again_at_every_endpoint(
            parts in prop::collection::vec("blobs|uploads|manifests|tags|list|referrers|[a-z0-9]{1,5}", 1..5),
            tag in "[a-zA-Z0-9_][a-zA-Z0-9._-]{0,20}",
        ) {
            let text = parts.join("/");
            let digest: Digest = format!("sha256:{HEX}").parse().unwrap();
            let id = UploadId([7; 16]);
            let name = name(&text);
            let routes = [
                (format!("/v2/{text}/tags/list"), Route::Tags(name.clone())),
                (format!("/v2/{text}/blobs/{digest}"), Route::Blob(name.clone(), digest)),
                (format!("/v2/{text}/blobs/uploads/"), Route::Uploads(name.clone())),
                (format!("/v2/{text}/blobs/uploads/{id}"), Route::Upload(name.clone(), id)),
                (format!("/v2/{text}/manifests/{tag}"), Route::Manifest(name.clone(), Reference::Tag(tag.parse().unwrap()))),
                (format!("/v2/{text}/referrers/{digest}"), Route::Referrers(name, digest)),
            ];
            for (path, route) in routes {
                prop_assert_eq!(Route::parse(&path), Ok(route));
            }
        }
    }
}
