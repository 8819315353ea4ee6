//! The token flow of registry clients (distribution spec, token authentication). Access tokens are sealed, so that they need no
//! row and outlive a restart, and valid for five minutes. `docker login` stores a refresh token, a random and durable credential
//! whose only use is to be exchanged for access tokens.

use std::sync::Arc;

use access::Proven;
use axum::body::Body;
use axum::response::Response;
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method};
use model::CredentialKind;
use oci_spec::distribution::ErrorCode;
use serde_json::json;

use crate::Shared;
use crate::access_token::ACCESS_LIFE;
use crate::body;
use crate::error::RegistryError;
use crate::error_kind::{ErrorKind, Unauthorized};
use crate::login;
use crate::query::Query;
use crate::request_context::{Login, caller};
use crate::scope;

/// Bytes of a form at most.
const MOST_FORM_BYTES: usize = 64 << 10;

/// `GET /v2/token` with a password in the header, or `POST` with a form.
pub(crate) async fn answer(
    shared: &Arc<Shared>,
    parts: &Parts,
    body: Body,
) -> Result<Response, RegistryError> {
    let asked = if parts.method == Method::GET {
        by_header(shared, parts)?
    } else if parts.method == Method::POST {
        by_form(shared, body).await?
    } else {
        return Err(ErrorKind::MethodNotAllowed("GET, POST").into());
    };
    let caller = caller(parts, asked.proven.clone());
    let by = login::By { caller: &caller, client: login::client(&parts.headers) };
    grant(shared, &asked, &by).await
}

/// A request for a token.
struct Asked {
    proven: Proven,
    parameters: Query,
    offline: bool,
}

fn by_header(shared: &Shared, parts: &Parts) -> Result<Asked, RegistryError> {
    let parameters = Query::parse(parts.uri.query().unwrap_or_default());
    let login = parts.headers.get(AUTHORIZATION).ok_or_else(|| challenge(Unauthorized::Missing))?;
    let login = Login::read(login).ok_or_else(|| challenge(Unauthorized::InvalidLogin))?;
    let (state, now) = (shared.reader.state(), shared.clock.now());
    let proven = login.prove(&state, now).ok_or_else(|| challenge(Unauthorized::InvalidLogin))?;
    let offline = parameters.first("offline_token") == Some("true");
    Ok(Asked { proven, parameters, offline })
}

async fn by_form(shared: &Shared, body: Body) -> Result<Asked, RegistryError> {
    let form = body::read(body, MOST_FORM_BYTES, &ErrorCode::Unsupported).await?;
    let form = form.ok_or(ErrorKind::FormTooLarge)?;
    let parameters = Query::parse(&String::from_utf8_lossy(&form));
    let given = |name| parameters.first(name).unwrap_or_default().to_owned();
    let (state, now) = (shared.reader.state(), shared.clock.now());
    let (proven, offline) = match parameters.first("grant_type") {
        Some("refresh_token") => {
            let kind = CredentialKind::RegistryRefresh;
            (access::authenticate(&state, &given("refresh_token"), kind, now), false)
        }
        Some("password") => {
            let login = Login { user: given("username"), password: given("password") };
            let offline = parameters.first("access_type") == Some("offline");
            (login.prove(&state, now), offline)
        }
        Some(_) | None => return Err(ErrorKind::GrantType.into()),
    };
    Ok(Asked {
        proven: proven.ok_or_else(|| challenge(Unauthorized::InvalidLogin))?,
        parameters,
        offline,
    })
}

fn challenge(why: Unauthorized) -> RegistryError {
    RegistryError::from(ErrorKind::Unauthorized(why))
        .with(WWW_AUTHENTICATE, HeaderValue::from_static("Basic realm=\"berth\""))
}

async fn grant(
    shared: &Shared,
    asked: &Asked,
    by: &login::By<'_>,
) -> Result<Response, RegistryError> {
    let Asked { proven, parameters, offline } = asked;
    let (state, now) = (shared.reader.state(), shared.clock.now());
    let scopes = scope::grant(&state, &proven.principal, parameters.all("scope"));
    let token = shared.tokens.issue(proven, &scopes, now);
    let mut reply = json!({
        "token": token,
        "access_token": token,
        "expires_in": ACCESS_LIFE.as_secs(),
        "issued_at": now.to_string(),
    });
    if *offline {
        reply["refresh_token"] = login::remember(shared, &state, by, now).await?.into();
    } else {
        login::record_use(shared, &state, by, proven.credential, now).await;
    }
    let mut response = Response::new(Body::from(reply.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}
