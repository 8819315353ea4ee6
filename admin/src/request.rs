//! What handlers take from a request; what does not parse is a problem document like every other error.

use api::json_cause;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::Api;
use crate::problem::Problem;
use crate::sentence;

/// U+FEFF as UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A JSON body; errors name the place in it.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, api).await?;
        // A reader may skip a byte order mark (RFC 8259 section 8.1).
        let text = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(&bytes);
        let text: &[u8] = if text.is_empty() { b"{}" } else { text };
        let mut json = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = place(error.path());
            let cause = match place.as_str() {
                "" if !error.inner().is_data() => error.inner().to_string(),
                _ => json_cause(error.inner()),
            };
            Problem::invalid(sentence::wrong_body(&place, &cause))
        })?;
        json.end().map_err(|error| Problem::invalid(sentence::goes_on(&error)))?;
        Ok(Self(value))
    }
}

/// Where in a document; empty where it is the document itself.
fn place(path: &serde_path_to_error::Path) -> String {
    match path.to_string() {
        whole if whole == "." => String::new(),
        place => place,
    }
}

/// The parts of the path.
#[derive(Debug)]
pub(crate) struct Path<T>(pub(crate) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let path = axum::extract::Path::from_request_parts(parts, api).await?;
        Ok(Self(path.0))
    }
}

/// The query.
#[derive(Debug)]
pub(crate) struct Parameters<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<Api> for Parameters<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let query = axum::extract::Query::from_request_parts(parts, api).await?;
        Ok(Self(query.0))
    }
}
