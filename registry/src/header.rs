//! Headers that several answers share.

use http::HeaderValue;
use http::header::HeaderName;

/// The digest of what is answered (OCI distribution spec, "Pulling manifests").
pub(crate) const DIGEST: HeaderName = HeaderName::from_static("docker-content-digest");

/// Text that this program made, as the value of a header.
pub(crate) fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("names, digests, ids and numbers are ASCII")
}
