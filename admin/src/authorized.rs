//! The one way into a handler: [`Authorized`] in its signature names the request that it makes, proves who asks, and has
//! `control` say whether they may do that to anything at all, before the rest of the request is looked at. A handler
//! without it does not pass the test that walks all operations.

use std::marker::PhantomData;
use std::net::SocketAddr;

use access::{Proven, authenticate};
use axum::extract::{ConnectInfo, FromRequestParts};
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use control::{Caller, Request};
use model::CredentialKind;

use crate::Api;
use crate::problem::Problem;
use crate::request_id::RequestId;

/// Somebody who may ask for an `R`. Whether they may ask for this one is judged when it is executed.
pub(crate) struct Authorized<R> {
    caller: Caller,
    request: PhantomData<fn() -> R>,
}

impl<R: Request> FromRequestParts<Api> for Authorized<R> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let Authenticated(caller) = Authenticated::from_request_parts(parts, api).await?;
        api.control.admit(&caller, R::OPERATION).await?;
        Ok(Self { caller, request: PhantomData })
    }
}

impl<R: Request> Authorized<R> {
    /// Does what they ask for.
    pub(crate) async fn execute(&self, api: &Api, request: R) -> Result<R::Answer, Problem> {
        Ok(api.control.execute(&self.caller, &request).await?)
    }
}

/// Somebody who is proven, but not yet allowed anything.
#[derive(Debug)]
pub(crate) struct Authenticated(pub(crate) Caller);

impl FromRequestParts<Api> for Authenticated {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        let header = parts.headers.get(AUTHORIZATION).ok_or_else(Problem::no_credential)?;
        let token = header
            .to_str()
            .ok()
            .and_then(|text| text.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or_else(Problem::wrong_credential)?;
        let (state, now) = (api.control.state(), api.control.now());
        let proven = authenticate(&state, token, CredentialKind::Token, now);
        let Proven { principal, credential } = proven.ok_or_else(Problem::wrong_credential)?;
        let source = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
        let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
        let request_id = request_id.unwrap_or_default();
        Ok(Self(Caller { principal, credential: Some(credential), source, request_id }))
    }
}
