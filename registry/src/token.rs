//! The token flow of registry clients (distribution spec, token authentication). Access tokens are sealed, so that they need no
//! row and outlive a restart, and valid for five minutes. `docker login` stores a refresh token, a random and durable credential
//! whose only use is to be exchanged for access tokens.

use std::sync::Arc;
use std::time::Duration;

use access::{Proven, Resource};
use axum::body::Body;
use axum::response::Response;
use control::{Caller, Operation, Write};
use http::header::{AUTHORIZATION, CACHE_CONTROL, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, Method};
use model::{
    AccessChange, Change, Credential, CredentialId, CredentialKind, Principal, State, Timestamp,
};
use oci_spec::distribution::ErrorCode;
use rand::Rng as _;
use serde_json::json;

use crate::Shared;
use crate::access_token::ACCESS_LIFE;
use crate::body;
use crate::error::RegistryError;
use crate::error_kind::{ErrorKind, Unauthorized};
use crate::query::Query;
use crate::request_context::{Login, caller};
use crate::scope;

/// How long a refresh token of `docker login` is valid.
const REFRESH_LIFE: Duration = Duration::from_hours(365 * 24);
/// Refresh tokens of one principal at most, a machine each; a new one replaces the oldest.
const MOST_LOGINS: usize = 10_000;
/// Expired and surplus refresh tokens that go with a new one at most.
const MOST_SWEPT: usize = 50;
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
    grant(shared, &asked, &caller).await
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

async fn grant(shared: &Shared, asked: &Asked, caller: &Caller) -> Result<Response, RegistryError> {
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
        reply["refresh_token"] = remember(shared, &state, caller, now).await?.into();
    }
    let mut response = Response::new(Body::from(reply.to_string()));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Creates a refresh token, in one batch with the removal of expired and surplus ones.
async fn remember(
    shared: &Shared,
    state: &State,
    caller: &Caller,
    now: Timestamp,
) -> Result<String, RegistryError> {
    let principal = &caller.principal;
    let secret = access::new_secret("berth_rrt");
    let mut random = [0; 10];
    rand::rng().fill_bytes(&mut random);
    let logins = state.credentials().filter(|credential| {
        credential.kind == CredentialKind::RegistryRefresh && credential.principal == *principal
    });
    let ended = surplus(logins, MOST_LOGINS - 1, now);
    let mut changes: Vec<Change> =
        ended.into_iter().map(|id| AccessChange::RevokeCredential(id).into()).collect();
    changes.push(
        AccessChange::CreateCredential(Credential {
            id: CredentialId::new(now, random),
            kind: CredentialKind::RegistryRefresh,
            principal: principal.clone(),
            hash: secret.hash,
            created_at: now,
            expires_at: Some(now.plus(REFRESH_LIFE)),
        })
        .into(),
    );
    let own = match principal {
        Principal::User(name) => Resource::user(name),
        Principal::Instance(_) | Principal::Router(_) | Principal::Anonymous => {
            Resource::user(&principal.to_string())
        }
    };
    let write = Write { changes, ..Write::new(Operation::LogIn, own, now) };
    shared.control.commit(caller, write).await?;
    Ok(secret.text)
}

/// Logins that are over, and of the others the oldest that are more than `kept`: ids are in the order of time.
fn surplus<'a>(
    logins: impl Iterator<Item = &'a Credential>,
    kept: usize,
    now: Timestamp,
) -> Vec<CredentialId> {
    let (over, live): (Vec<_>, Vec<_>) =
        logins.partition(|login| login.expires_at.is_some_and(|end| end <= now));
    let many = live.len().saturating_sub(kept);
    let ended = over.iter().chain(live.iter().take(many)).take(MOST_SWEPT);
    ended.map(|login| login.id).collect()
}

#[cfg(test)]
mod tests {
    use model::Digest;

    use super::*;

    #[test]
    fn logins_do_not_grow_without_end_and_those_that_are_over_go_first() {
        let at = |seconds: i64| Timestamp::from_millis(seconds * 1_000);
        let login = |number: u8| Credential {
            id: CredentialId::new(at(number.into()), [number; 10]),
            kind: CredentialKind::RegistryRefresh,
            principal: Principal::User("admin".to_owned()),
            hash: Digest::Sha256([number; 32]),
            created_at: at(number.into()),
            expires_at: Some(at(if number == 3 { 50 } else { 1_000 })),
        };
        let all: Vec<Credential> = (1..=200).map(login).collect();
        let gone = |count: usize, kept| surplus(all[..count].iter(), kept, at(60));
        assert_eq!(gone(5, 4), [all[2].id]);
        assert_eq!(gone(5, 3), [all[2].id, all[0].id]);
        assert_eq!(gone(5, 9), [all[2].id]);
        assert_eq!(gone(200, 3).len(), MOST_SWEPT);
    }
}
