//! The operations of the registry and the one way to each: path and method select an [`Operation`], the caller is
//! authenticated and authorised for the [`Permission`] that it requires, and only then is it run and its body read.

use std::sync::Arc;

use access::{Action, Resource, ResourceKind};
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, HeaderName, X_CONTENT_TYPE_OPTIONS};
use http::request::Parts;
use http::{HeaderValue, Method, Request};
use model::{Digest, Reference, RepositoryName};

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::request_context::{Permission, RequestContext, RequestId};
use crate::route::{Route, UploadId};
use crate::{Shared, blob, listing, manifest, referrers, token, upload};

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Operation {
    Base,
    Catalog,
    Tags(RepositoryName),
    Referrers(RepositoryName, Digest),
    GetBlob(RepositoryName, Digest),
    DeleteBlob(RepositoryName, Digest),
    StartUpload(RepositoryName),
    AppendUpload(RepositoryName, UploadId),
    FinishUpload(RepositoryName, UploadId),
    GetUpload(RepositoryName, UploadId),
    CancelUpload(RepositoryName, UploadId),
    GetManifest(RepositoryName, Reference),
    PutManifest(RepositoryName, Reference),
    DeleteManifest(RepositoryName, Reference),
}

/// Answers every request under `/v2/`.
pub(crate) async fn serve(State(shared): State<Arc<Shared>>, request: Request<Body>) -> Response {
    let (mut parts, body) = request.into_parts();
    let request_id = control::request_id(rand::random());
    parts.extensions.insert(RequestId(request_id.clone()));
    let answered = answer(&shared, parts, body).await;
    let mut response = answered.unwrap_or_else(IntoResponse::into_response);
    let headers = response.headers_mut();
    let version = HeaderName::from_static("docker-distribution-api-version");
    headers.insert(version, HeaderValue::from_static("registry/2.0"));
    if let Ok(value) = HeaderValue::from_str(&request_id) {
        headers.insert(HeaderName::from_static("x-request-id"), value);
    }
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("private"));
    response
}

async fn answer(shared: &Arc<Shared>, parts: Parts, body: Body) -> Result<Response, RegistryError> {
    let operation = match Route::parse(parts.uri.path()) {
        Ok(Route::Token) => return token::answer(shared, &parts, body).await,
        Ok(route) => Operation::of(&parts.method, route),
        Err(error) => Err(error.kind(&parts.method).into()),
    };
    // Authentication comes first: without it a client does not even learn what a path means.
    let permission = operation.as_ref().map_or(Permission::Authenticated, Operation::permission);
    let context = RequestContext::new(shared, parts, &permission)?;
    let operation = operation?;
    context.allow(&permission)?;
    operation.run(&context, body).await
}

impl Operation {
    fn of(method: &Method, route: Route) -> Result<Self, RegistryError> {
        let read = method == Method::GET || method == Method::HEAD;
        let (delete, put) = (method == Method::DELETE, method == Method::PUT);
        Ok(match route {
            Route::Base if read => Self::Base,
            Route::Catalog if read => Self::Catalog,
            Route::Tags(name) if read => Self::Tags(name),
            Route::Referrers(name, digest) if read => Self::Referrers(name, digest),
            Route::Blob(name, digest) if read => Self::GetBlob(name, digest),
            Route::Blob(name, digest) if delete => Self::DeleteBlob(name, digest),
            Route::Uploads(name) if method == Method::POST => Self::StartUpload(name),
            Route::Upload(name, id) if read => Self::GetUpload(name, id),
            Route::Upload(name, id) if method == Method::PATCH => Self::AppendUpload(name, id),
            Route::Upload(name, id) if put => Self::FinishUpload(name, id),
            Route::Upload(name, id) if delete => Self::CancelUpload(name, id),
            Route::Manifest(name, reference) if read => Self::GetManifest(name, reference),
            Route::Manifest(name, reference) if put => Self::PutManifest(name, reference),
            Route::Manifest(name, reference) if delete => Self::DeleteManifest(name, reference),
            route @ (Route::Base
            | Route::Token
            | Route::Catalog
            | Route::Tags(_)
            | Route::Referrers(_, _)
            | Route::Blob(_, _)
            | Route::Uploads(_)
            | Route::Upload(_, _)
            | Route::Manifest(_, _)) => return Err(not_allowed(&route)),
        })
    }

    fn permission(&self) -> Permission {
        let on =
            |action, name: &RepositoryName| Permission::Action(action, Resource::repository(name));
        match self {
            Self::Base => Permission::Authenticated,
            Self::Catalog => {
                Permission::Action(Action::RepositoryList, Resource::any(ResourceKind::Repository))
            }
            Self::Tags(name)
            | Self::Referrers(name, _)
            | Self::GetBlob(name, _)
            | Self::GetManifest(name, _) => on(Action::RepositoryPull, name),
            Self::StartUpload(name)
            | Self::AppendUpload(name, _)
            | Self::FinishUpload(name, _)
            | Self::GetUpload(name, _)
            | Self::CancelUpload(name, _)
            | Self::PutManifest(name, _) => on(Action::RepositoryPush, name),
            Self::DeleteBlob(name, _) | Self::DeleteManifest(name, _) => {
                on(Action::RepositoryDelete, name)
            }
        }
    }

    async fn run(self, context: &RequestContext, body: Body) -> Result<Response, RegistryError> {
        match self {
            Self::Base => Ok(base()),
            Self::Catalog => listing::catalog(context),
            Self::Tags(name) => listing::tags(context, &name),
            Self::Referrers(name, digest) => referrers::get(context, &name, &digest).await,
            Self::GetBlob(name, digest) => blob::get(context, &name, &digest).await,
            Self::DeleteBlob(name, digest) => blob::delete(context, &name, &digest).await,
            Self::StartUpload(name) => upload::serve::start(context, &name, body).await,
            Self::AppendUpload(name, id) => upload::serve::patch(context, &name, id, body).await,
            Self::FinishUpload(name, id) => upload::serve::put(context, &name, id, body).await,
            Self::GetUpload(name, id) => upload::serve::get(context, &name, id),
            Self::CancelUpload(name, id) => upload::serve::cancel(context, &name, id).await,
            Self::GetManifest(name, reference) => {
                manifest::get::get(context, &name, &reference).await
            }
            Self::PutManifest(name, reference) => {
                manifest::put::put(context, &name, &reference, body).await
            }
            Self::DeleteManifest(name, Reference::Tag(tag)) => {
                manifest::delete::tag(context, &name, &tag).await
            }
            Self::DeleteManifest(name, Reference::Digest(digest)) => {
                manifest::delete::manifest(context, &name, &digest).await
            }
        }
    }
}

fn not_allowed(route: &Route) -> RegistryError {
    let methods = match route {
        Route::Base | Route::Catalog | Route::Tags(_) | Route::Referrers(_, _) => "GET, HEAD",
        Route::Token => "GET, POST",
        Route::Blob(_, _) => "GET, HEAD, DELETE",
        Route::Uploads(_) => "POST",
        Route::Upload(_, _) => "GET, PATCH, PUT, DELETE",
        Route::Manifest(_, _) => "GET, HEAD, PUT, DELETE",
    };
    ErrorKind::MethodNotAllowed(methods).into()
}

fn base() -> Response {
    let mut response = Response::new(Body::from("{}"));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    response
}
