//! Lists in byte order, by pages: the tags of a repository, and the repositories that the caller may read.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, LINK};
use model::RepositoryName;
use oci_spec::distribution::{RepositoryListBuilder, TagListBuilder};
use serde::Serialize;

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::query::{Page, encode};
use crate::request_context::RequestContext;

/// `GET /v2/N/tags/list`.
pub(crate) fn tags(
    context: &RequestContext,
    repository: &RepositoryName,
) -> Result<Response, RegistryError> {
    if context.state.repository(repository).is_none() {
        return Err(ErrorKind::NameUnknown(repository.to_string()).into());
    }
    let page = Page::of(&context.query)?;
    let names = context.state.tags(repository).map(|tag| tag.name.as_str());
    let (tags, more) = page.cut(names, |name| name);
    let next = tags.last().filter(|_| more).map(|last| next(&page, last));
    let tags: Vec<String> = tags.into_iter().map(ToOwned::to_owned).collect();
    let list = TagListBuilder::default().name(repository.as_str()).tags(tags).build();
    Ok(reply(
        &list.expect("name and tags are given"),
        next.map(|query| format!("/v2/{repository}/tags/list?{query}")),
    ))
}

/// `GET /v2/_catalog`.
pub(crate) fn catalog(context: &RequestContext) -> Result<Response, RegistryError> {
    let page = Page::of(&context.query)?;
    let names = context.state.repositories().map(|repository| &repository.name);
    // A token for the catalog need not cover each repository; the principal must.
    let readable =
        names.filter(|name| context.principal_may_read(name)).map(RepositoryName::as_str);
    let (names, more) = page.cut(readable, |name| name);
    let next = names.last().filter(|_| more).map(|last| next(&page, last));
    let names: Vec<String> = names.into_iter().map(ToOwned::to_owned).collect();
    let list = RepositoryListBuilder::default().repositories(names).build();
    Ok(reply(
        &list.expect("the repositories are given"),
        next.map(|query| format!("/v2/_catalog?{query}")),
    ))
}

fn next(page: &Page, last: &str) -> String {
    format!("n={}&last={}", page.n, encode(last))
}

fn reply(list: &impl Serialize, next: Option<String>) -> Response {
    let body = serde_json::to_vec(list).expect("it holds text only");
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(link) = next {
        headers.insert(LINK, link_to_next(&link));
    }
    response
}

/// The `Link` header of a page that is not the last.
pub(crate) fn link_to_next(path: &str) -> HeaderValue {
    HeaderValue::from_str(&format!("<{path}>; rel=\"next\"")).expect("the query is encoded")
}
