//! `ETag` and `If-Match`: a change that is meant for one state of an entity is not made in another.

use api::{EntityTag, IfMatch, ProblemCode};
use axum::Json;
use axum::extract::FromRequestParts;
use axum::http::header::{ETAG, HeaderValue, IF_MATCH};
use axum::http::request::Parts;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use utoipa::IntoParams;

use crate::Api;
use crate::problem::Problem;

/// Bytes of the hash that a tag shows: far more than the states that an entity is ever in.
const TAG_BYTES: usize = 16;

/// What people set of an instance: the state that a change of it is based on.
pub(crate) fn instance_settings(instance: &model::Instance) -> impl Serialize {
    (instance.id, instance.status)
}

/// What people set of a service, and which deployment counts; not what is only counted or observed.
pub(crate) fn service_settings(service: &model::Service) -> impl Serialize {
    (
        (service.id, service.status, service.desired_count, &service.task_definition),
        (&service.deployment_configuration, service.health_check_grace_period_seconds),
        (&service.load_balancers, service.follow_tags, service.deployment),
    )
}

/// The tag of these settings.
pub(crate) fn entity_tag(settings: &impl Serialize) -> EntityTag {
    let row = serde_json::to_vec(settings).expect("settings are plain data");
    let hash = Sha256::digest(row);
    EntityTag::new(&BASE64_URL_SAFE_NO_PAD.encode(&hash[..TAG_BYTES]))
}

/// Which state the caller means.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Header)]
pub(crate) struct Precondition {
    /// `ETag` of the answer that the change is based on; without it the change is made in any state.
    #[param(rename = "If-Match", value_type = Option<String>)]
    if_match: Option<IfMatch>,
}

impl Precondition {
    /// Refuses where these settings are not those that the caller means.
    pub(crate) fn check(&self, settings: &impl Serialize) -> Result<(), Problem> {
        let holds = self.if_match.as_ref().is_none_or(|meant| meant.matches(&entity_tag(settings)));
        if holds {
            return Ok(());
        }
        let detail =
            "it has changed since the state that If-Match names: read it again, and decide again";
        Err(Problem::new(ProblemCode::PreconditionFailed, detail))
    }
}

impl FromRequestParts<Api> for Precondition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Api) -> Result<Self, Problem> {
        let Some(header) = parts.headers.get(IF_MATCH) else { return Ok(Self { if_match: None }) };
        let text = header.to_str().map_err(|error| Problem::invalid(error.to_string()))?;
        let if_match = text.parse::<IfMatch>().map_err(|error| Problem::invalid(error.to_string()));
        Ok(Self { if_match: Some(if_match?) })
    }
}

/// An answer about one entity, with the state that it is in.
#[derive(Debug)]
pub(crate) struct Tagged<T>(pub(crate) EntityTag, pub(crate) T);

impl<T: Serialize> IntoResponse for Tagged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.1).into_response();
        if let Ok(tag) = HeaderValue::try_from(self.0.to_string()) {
            response.headers_mut().insert(ETAG, tag);
        }
        response
    }
}
