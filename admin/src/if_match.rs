//! `ETag` and `If-Match` as headers.

use api::{EntityTag, IfMatch};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use utoipa::IntoParams;

use crate::Api;
use crate::problem::Problem;

/// Which state the caller means.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Precondition {
    /// `ETag` of the answer that the change is based on; without it the change is made in any state.
    #[param(rename = "If-Match", value_type = Option<String>)]
    pub(crate) if_match: Option<IfMatch>,
}

impl FromRequestParts<Api> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        // A header that comes several times is one list.
        let lines = parts.headers.get_all(IF_MATCH).iter().map(HeaderValue::to_str);
        let lines: Vec<&str> =
            lines.collect::<Result<_, _>>().map_err(|error| Problem::invalid(error.to_string()))?;
        if lines.is_empty() {
            return Ok(Self { if_match: None });
        }
        let text = lines.join(",");
        let if_match = text.parse::<IfMatch>().map_err(|error| Problem::invalid(error.to_string()));
        Ok(Self { if_match: Some(if_match?) })
    }
}

/// An answer about one entity, with the state that it is in.
#[derive(Debug)]
pub(crate) struct Tagged<T>(EntityTag, T);

impl<T> From<control::Tagged<T>> for Tagged<T> {
    fn from(tagged: control::Tagged<T>) -> Self {
        Self(tagged.tag, tagged.value)
    }
}

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::try_from(self.0.to_string()) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}
