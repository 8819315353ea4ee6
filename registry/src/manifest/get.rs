//! `GET` and `HEAD /v2/N/manifests/R`: the bytes and the type that were pushed, whatever the client says it accepts.

use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_LENGTH, ETAG, IF_NONE_MATCH};
use http::{Method, StatusCode};
use model::{Digest, Reference, RepositoryName};

use super::describe;
use crate::blocking;
use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::request_context::RequestContext;
use crate::rows::{self, ManifestRow};

pub(crate) async fn get(
    context: &RequestContext,
    repository: &RepositoryName,
    reference: &Reference,
) -> Result<Response, RegistryError> {
    let unknown = || match reference {
        Reference::Tag(tag) => RegistryError::from(ErrorKind::ManifestUnknown(tag.to_string())),
        Reference::Digest(digest) => {
            RegistryError::from(ErrorKind::ManifestUnknown(digest.to_string()))
        }
    };
    let digest = resolve(context, repository, reference).ok_or_else(unknown)?;
    let key = rows::manifest(repository, &digest);
    let row: ManifestRow = rows::get(&context.shared.reader, &key).await?.ok_or_else(unknown)?;
    let mut response = Response::new(Body::empty());
    describe(&mut response, &digest, &row);
    let (files, size) = (Arc::clone(&context.shared.files), row.size_bytes);
    if context.parts.method == Method::HEAD {
        let there = blocking("a manifest cannot be looked at", move || files.has(&digest, size));
        return if there.await? { Ok(response) } else { Err(unknown()) };
    }
    let etag = response.headers().get(ETAG);
    if context.parts.headers.get(IF_NONE_MATCH).is_some_and(|given| Some(given) == etag) {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response.headers_mut().remove(CONTENT_LENGTH);
        return Ok(response);
    }
    let read = move || files.read_all(&digest, size);
    let bytes = blocking("a manifest cannot be read", read).await?.ok_or_else(unknown)?;
    *response.body_mut() = Body::from(bytes);
    Ok(response)
}

fn resolve(
    context: &RequestContext,
    repository: &RepositoryName,
    reference: &Reference,
) -> Option<Digest> {
    match reference {
        Reference::Digest(digest) => Some(*digest),
        Reference::Tag(tag) => context.state.tag(repository, tag).map(|tag| tag.digest),
    }
}
