//! What handlers take from a request; what does not parse is a problem document like every other error.

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use bytes::Bytes;
use serde::de::DeserializeOwned;

use crate::Api;
use crate::problem::Problem;
use crate::sentence;

/// A JSON body; errors name the place in it.
#[derive(Debug)]
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let bytes = Bytes::from_request(request, api).await?;
        let text: &[u8] = if bytes.is_empty() { b"{}" } else { &bytes };
        let mut json = serde_json::Deserializer::from_slice(text);
        let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
            let place = place(error.path());
            let cause = error.inner().to_string();
            // Where the field is named, its line and column in the body say nothing more.
            let cause = match cause.rfind(" at line ") {
                Some(end) if !place.is_empty() => &cause[..end],
                _ => &cause,
            };
            Problem::invalid(sentence::wrong_body(&place, cause))
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
