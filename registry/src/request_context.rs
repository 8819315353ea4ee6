//! Authentication and authorisation. A request becomes a [`RequestContext`] only when its caller is authenticated, and every
//! operation is authorised by `access` at each request, so that a permission that is taken away ends at once.

use std::net::SocketAddr;
use std::sync::Arc;

use access::{Action, Proven, Resource, authorize};
use axum::extract::ConnectInfo;
use base64::Engine as _;
use control::{Caller, Operation, Write};
use http::HeaderValue;
use http::header::{AUTHORIZATION, HOST, WWW_AUTHENTICATE};
use http::request::Parts;
use model::{CommitError, CredentialKind, Principal, RepositoryName, State, Timestamp};

use crate::Shared;
use crate::error::RegistryError;
use crate::error_kind::{ErrorKind, Unauthorized};
use crate::query::Query;
use crate::route::Route;
use crate::scope::{self, Scope};

/// The id of a request: in its extensions, its response and the audit trail.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// A request with an authenticated caller.
#[derive(Debug)]
pub(crate) struct RequestContext {
    pub(crate) shared: Arc<Shared>,
    pub(crate) parts: Parts,
    pub(crate) query: Query,
    pub(crate) state: State,
    pub(crate) now: Timestamp,
    pub(crate) caller: Caller,
    /// What the caller's token is restricted to; None where it is not restricted.
    scopes: Option<Arc<[Scope]>>,
}

/// The permission that an operation requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Permission {
    /// Any authenticated caller.
    Authenticated,
    /// An action on a resource.
    Action(Action, Resource),
}

impl RequestContext {
    /// Authenticates the caller. The error is a challenge for a token with the permission.
    pub(crate) fn new(
        shared: &Arc<Shared>,
        parts: Parts,
        permission: &Permission,
    ) -> Result<Self, RegistryError> {
        let (state, now) = (shared.reader.state(), shared.clock.now());
        let (caller, scopes) = match prove(shared, &state, &parts, now) {
            Proof::Of(caller, scopes) => (caller, scopes),
            Proof::Missing => {
                return Err(challenge(shared, &parts, permission, Unauthorized::Missing));
            }
            Proof::Wrong => {
                return Err(challenge(shared, &parts, permission, Unauthorized::Invalid));
            }
        };
        let query = Query::parse(parts.uri.query().unwrap_or_default());
        Ok(Self { shared: Arc::clone(shared), parts, query, state, now, caller, scopes })
    }

    /// Authorises the caller. Without the permission a repository is answered as unknown; a token that is too narrow is
    /// challenged for one with the permission.
    pub(crate) fn allow(&self, permission: &Permission) -> Result<(), RegistryError> {
        let Permission::Action(action, resource) = permission else { return Ok(()) };
        if let Err(denied) = authorize(&self.state, &self.caller.principal, *action, resource) {
            return Err(match resource.repository_name() {
                Some(name) => ErrorKind::NameUnknown(name.to_owned()),
                None => ErrorKind::Denied(denied.to_string()),
            }
            .into());
        }
        if self.in_scope(*action, resource) {
            return Ok(());
        }
        Err(challenge(&self.shared, &self.parts, permission, Unauthorized::Scope))
    }

    /// Whether the caller may read blobs of the repository, by principal and token.
    pub(crate) fn may_read(&self, repository: &RepositoryName) -> bool {
        let resource = Resource::repository(repository);
        self.principal_may_read(repository) && self.in_scope(Action::RepositoryPull, &resource)
    }

    /// Whether the principal may read the repository, whatever the token's scope.
    pub(crate) fn principal_may_read(&self, repository: &RepositoryName) -> bool {
        let resource = Resource::repository(repository);
        let principal = &self.caller.principal;
        authorize(&self.state, principal, Action::RepositoryPull, &resource).is_ok()
    }

    fn in_scope(&self, action: Action, resource: &Resource) -> bool {
        self.scopes.as_deref().is_none_or(|scopes| scope::cover(scopes, action, resource))
    }

    /// A write to one repository that changes nothing yet.
    pub(crate) fn write(&self, operation: Operation, repository: &RepositoryName) -> Write {
        Write::new(operation, Resource::repository(repository), self.now)
    }

    /// Commits a write in the caller's name.
    pub(crate) async fn commit(&self, write: Write) -> Result<State, CommitError> {
        self.shared.control.commit(&self.caller, write).await
    }

    /// A header as text.
    pub(crate) fn header(&self, name: impl http::header::AsHeaderName) -> Option<&str> {
        self.parts.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

enum Proof {
    Of(Caller, Option<Arc<[Scope]>>),
    Missing,
    Wrong,
}

/// The link authenticates its peers by certificate and sets the principal in the request's extensions, which no client can
/// reach. All other callers use a password, an API token or an access token.
fn prove(shared: &Shared, state: &State, parts: &Parts, now: Timestamp) -> Proof {
    let whole = |proven| Proof::Of(caller(parts, proven), None);
    if let Some(principal) = parts.extensions.get::<Principal>() {
        return match principal {
            Principal::Anonymous => Proof::Missing,
            Principal::User(_) | Principal::Instance(_) | Principal::Router(_) => {
                let peer = peer(parts, principal.clone());
                Proof::Of(peer, None)
            }
        };
    }
    let Some(header) = parts.headers.get(AUTHORIZATION) else { return Proof::Missing };
    if let Some(login) = Login::read(header) {
        return login.prove(state, now).map_or(Proof::Wrong, whole);
    }
    let Some(token) = after_scheme(header, "bearer") else { return Proof::Wrong };
    if let Some((proven, scopes)) = shared.tokens.find(state, &token, now) {
        return Proof::Of(caller(parts, proven), Some(scopes));
    }
    access::authenticate(state, &token, CredentialKind::Token, now).map_or(Proof::Wrong, whole)
}

/// A caller that a secret has authenticated, with the source of its request.
pub(crate) fn caller(parts: &Parts, proven: Proven) -> Caller {
    let Proven { principal, credential } = proven;
    Caller { credential: Some(credential), ..peer(parts, principal) }
}

/// A caller that a certificate has authenticated.
fn peer(parts: &Parts, principal: Principal) -> Caller {
    let source = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip());
    let request_id = parts.extensions.get::<RequestId>().map(|id| id.0.clone());
    Caller { principal, credential: None, source, request_id: request_id.unwrap_or_default() }
}

/// The text behind the scheme of an `Authorization` header.
fn after_scheme(header: &HeaderValue, scheme: &str) -> Option<String> {
    let (given, rest) = header.to_str().ok()?.split_once(' ')?;
    given.eq_ignore_ascii_case(scheme).then(|| rest.trim().to_owned())
}

/// A user name and a password, which is an API token.
pub(crate) struct Login {
    pub(crate) user: String,
    pub(crate) password: String,
}

impl Login {
    /// From a `Basic` header.
    pub(crate) fn read(header: &HeaderValue) -> Option<Self> {
        let encoded = after_scheme(header, "basic")?;
        let decoded = base64::prelude::BASE64_STANDARD.decode(encoded).ok()?;
        let text = String::from_utf8(decoded).ok()?;
        let (user, password) = text.split_once(':')?;
        Some(Self { user: user.to_owned(), password: password.to_owned() })
    }

    /// The principal that it proves.
    pub(crate) fn prove(&self, state: &State, now: Timestamp) -> Option<Proven> {
        let proven = access::authenticate(state, &self.password, CredentialKind::Token, now)?;
        (proven.principal == Principal::User(self.user.clone())).then_some(proven)
    }
}

/// 401 with the realm and scope of the token to fetch.
fn challenge(
    shared: &Shared,
    parts: &Parts,
    permission: &Permission,
    why: Unauthorized,
) -> RegistryError {
    let service = &shared.service;
    let mut text = format!("Bearer realm=\"{}\",service=\"{service}\"", realm(parts));
    if let Permission::Action(action, resource) = permission {
        // Who looks whether a blob is there is about to push it. Some clients keep the first token that they get (oras-py), so
        // it is to be good for the push too; it grants no more than its login may.
        let action = if looks_for_blob(parts) { Action::RepositoryPush } else { *action };
        let mut scopes = scope::wanted(action, resource);
        if let Some(source) = mount_source(parts) {
            let pull = scope::wanted(Action::RepositoryPull, &Resource::repository(&source));
            scopes = format!("{scopes} {pull}");
        }
        text = format!("{text},scope=\"{scopes}\"");
    }
    // RFC 6750 section 3.1.
    let error = match why {
        Unauthorized::Missing => None,
        Unauthorized::Invalid | Unauthorized::InvalidLogin => Some("invalid_token"),
        Unauthorized::Scope => Some("insufficient_scope"),
    };
    if let Some(error) = error {
        text = format!("{text},error=\"{error}\"");
    }
    let error = RegistryError::from(ErrorKind::Unauthorized(why));
    match HeaderValue::from_str(&text) {
        Ok(value) => error.with(WWW_AUTHENTICATE, value),
        Err(_) => error,
    }
}

fn looks_for_blob(parts: &Parts) -> bool {
    parts.method == http::Method::HEAD
        && matches!(Route::parse(parts.uri.path()), Ok(Route::Blob(..)))
}

/// The repository that a request mounts a blob from. A token for the mount must cover it too, and a client asks for what the
/// challenge names.
fn mount_source(parts: &Parts) -> Option<RepositoryName> {
    let query = Query::parse(parts.uri.query().unwrap_or_default());
    query.first("mount").filter(|_| parts.method == http::Method::POST)?;
    query.first("from")?.parse().ok()
}

/// Where this client gets tokens: at the host by which it reached the registry, so that any name works.
fn realm(parts: &Parts) -> String {
    let header = |name| parts.headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let fits = |host: &&str| {
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b".-_:[]".contains(&byte);
        !host.is_empty() && host.bytes().all(fits)
    };
    let host = parts.uri.authority().map(http::uri::Authority::as_str);
    let host = host.or_else(|| header(HOST.as_str())).filter(fits).unwrap_or("localhost");
    let scheme = match header("x-forwarded-proto") {
        Some("https") => "https",
        Some(_) | None => "http",
    };
    format!("{scheme}://{host}/v2/token")
}
