//! Referrers: the manifests of a repository that name a subject, whether or not the subject is there. Never 404: a subject
//! without referrers has an empty list.

use axum::body::Body;
use axum::response::Response;
use http::HeaderValue;
use http::header::{CONTENT_TYPE, HeaderName, LINK};
use model::{Digest, RepositoryName};
use oci_spec::image::{MediaType, SCHEMA_VERSION};
use serde::Serialize;

use crate::error::RegistryError;
use crate::header::value;
use crate::listing::link_to_next;
use crate::query::{Page, encode};
use crate::request_context::RequestContext;
use crate::rows::{self, ReferrerRow, STEP};

/// An image index as the referrers API answers it. Its descriptors are the rows as they are: `oci-spec`'s keep annotations
/// in a hash map, so that equal lists would differ in their bytes.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ReferrersIndex {
    schema_version: u32,
    media_type: MediaType,
    manifests: Vec<ReferrerRow>,
}

/// Bytes of descriptors that one page holds at most, give or take one of them.
const MOST_PAGE_BYTES: usize = 3 << 20;

/// `GET /v2/N/referrers/D`.
pub(crate) async fn get(
    context: &RequestContext,
    repository: &RepositoryName,
    subject: &Digest,
) -> Result<Response, RegistryError> {
    let page = Page::of(&context.query)?;
    let wanted = context.query.first("artifactType").filter(|wanted| !wanted.is_empty());
    let (manifests, more) = read(context, repository, subject, &page, wanted).await?;
    let link = manifests.last().filter(|_| more).map(|last| {
        let filter = wanted.map(|wanted| format!("artifactType={}&", encode(wanted)));
        let (filter, n, last) = (filter.unwrap_or_default(), page.n, last.digest);
        link_to_next(&format!("/v2/{repository}/referrers/{subject}?{filter}n={n}&last={last}"))
    });
    let media_type = MediaType::ImageIndex;
    let content_type = value(media_type.as_ref());
    let index = ReferrersIndex { schema_version: SCHEMA_VERSION, media_type, manifests };
    let body = serde_json::to_vec(&index).expect("rows have string keys only");
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, content_type);
    if let Some(link) = link {
        headers.insert(LINK, link);
    }
    if wanted.is_some() {
        let applied = HeaderName::from_static("oci-filters-applied");
        headers.insert(applied, HeaderValue::from_static("artifactType"));
    }
    Ok(response)
}

/// One page, and whether more follow.
async fn read(
    context: &RequestContext,
    repository: &RepositoryName,
    subject: &Digest,
    page: &Page,
    wanted: Option<&str>,
) -> Result<(Vec<ReferrerRow>, bool), RegistryError> {
    let prefix = rows::referrers(repository, subject);
    let mut after = page.last.as_ref().map(|last| [&prefix, last.as_bytes()].concat());
    let (mut found, mut bytes) = (Vec::new(), 0);
    loop {
        let pairs = context.shared.reader.range(&prefix, after, STEP).await?;
        for (key, text) in &pairs {
            let Some(row) = rows::read::<ReferrerRow>(key, text) else { continue };
            if wanted.is_some_and(|wanted| row.artifact_type.as_deref() != Some(wanted)) {
                continue;
            }
            if found.len() >= page.n || bytes >= MOST_PAGE_BYTES {
                return Ok((found, true));
            }
            bytes += text.len();
            found.push(row);
        }
        match pairs.into_iter().nth(STEP - 1) {
            Some((last, _)) => after = Some(last),
            None => return Ok((found, false)),
        }
    }
}
