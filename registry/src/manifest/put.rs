//! `PUT /v2/N/manifests/R`: checked, its bytes settled as a file, edges to what it names, and last the row, its tags and its
//! place among referrers in one batch.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::response::Response;
use control::{Operation, Write};
use http::header::{CONTENT_TYPE, HeaderName, LOCATION};
use http::{HeaderMap, StatusCode};
use model::limits::{FILL_ROWS, PUSH_TAGS};
use model::{
    Change, CommitError, Digest, Reference, Repository, RepositoryChange, RepositoryName, RowGuard,
    RowWrite, Tag, TagName,
};
use oci_spec::distribution::ErrorCode;

use super::MOST_BYTES;
use super::details::Details;
use super::document::{Descriptor, Document};
use crate::error::RegistryError;
use crate::error_kind::ErrorKind;
use crate::header::{DIGEST, value};
use crate::request_context::RequestContext;
use crate::route::UploadId;
use crate::rows::{self, BlobRow, ManifestRow, ReferrerRow};
use crate::{blob, blocking, body, files};

/// Bytes of an image's configuration that are looked at.
const MOST_CONFIGURATION_BYTES: u64 = 4 << 20;

pub(crate) async fn put(
    context: &RequestContext,
    repository: &RepositoryName,
    reference: &Reference,
    body: Body,
) -> Result<Response, RegistryError> {
    let tags = tags(context, reference)?;
    let bytes = read(body).await?;
    let document = Document::read(&bytes, context.header(CONTENT_TYPE))
        .map_err(|error| RegistryError::from(ErrorKind::InvalidManifest(error)))?;
    let digest = match reference {
        Reference::Tag(_) => files::sha256(&bytes),
        Reference::Digest(digest) => named(digest, &bytes)?,
    };
    // Shared by pushes and exclusive to deletes: what is found here stays until the rows that rely on it are committed.
    let _shared = context.shared.repositories.shared(repository.clone()).await;
    let children = Children::find(context, repository, &document).await?;
    let details = children.details(context, &document).await?;
    write_edges(context, repository, &digest, &children).await?;

    let row = ManifestRow {
        media_type: document.media_type.as_str().to_owned(),
        size_bytes: bytes.len() as u64,
        total_bytes: details.named_bytes.saturating_add(bytes.len() as u64),
        platforms: details.platforms,
        exposed_ports: details.exposed_ports,
        subject: document.subject,
    };
    let write = Write {
        changes: changes(context, repository, &digest, &row, &tags),
        rows: rows_of(repository, &digest, &row, &document),
        ..context.write(Operation::PutManifest, repository)
    };
    settle(context, &digest, bytes, write).await?;
    Ok(created(repository, &digest, &document, &tags))
}

/// The tags to set: the one in the path, and those in the query.
fn tags(context: &RequestContext, reference: &Reference) -> Result<Vec<TagName>, RegistryError> {
    let mut tags = match reference {
        Reference::Tag(tag) => vec![tag.clone()],
        Reference::Digest(_) => Vec::new(),
    };
    for text in context.query.all("tag") {
        let tag = text.parse().map_err(ErrorKind::InvalidTag)?;
        if !tags.contains(&tag) {
            tags.push(tag);
        }
        if tags.len() > PUSH_TAGS {
            return Err(ErrorKind::TooManyTags.into());
        }
    }
    Ok(tags)
}

async fn read(body: Body) -> Result<Vec<u8>, RegistryError> {
    let bytes = body::read(body, MOST_BYTES, &ErrorCode::ManifestInvalid).await?;
    Ok(bytes.ok_or(ErrorKind::ManifestTooLarge)?)
}

fn named(digest: &Digest, bytes: &[u8]) -> Result<Digest, RegistryError> {
    let computed = files::digest_like(digest, bytes);
    if computed != *digest {
        return Err(ErrorKind::ManifestDigest { computed, wanted: *digest }.into());
    }
    Ok(computed)
}

/// What a manifest names and the repository has.
struct Children {
    blobs: BTreeMap<Digest, u64>,
    manifests: BTreeMap<Digest, ManifestRow>,
}

impl Children {
    /// Reads everything that the manifest names. What it requires must be readable in the repository and have the size that
    /// its descriptor says.
    async fn find(
        context: &RequestContext,
        repository: &RepositoryName,
        document: &Document,
    ) -> Result<Self, RegistryError> {
        let reader = &context.shared.reader;
        let mut children = Self { blobs: BTreeMap::new(), manifests: BTreeMap::new() };
        let blobs = document.manifests.iter().filter(|one| one.is_blob());
        for descriptor in document.config.iter().chain(&document.layers).chain(blobs) {
            let key = rows::link(repository, &descriptor.digest);
            match rows::get(reader, &key).await? {
                Some(BlobRow { size_bytes }) => {
                    check_size(descriptor, size_bytes)?;
                    children.blobs.insert(descriptor.digest, size_bytes);
                }
                None if descriptor.is_foreign() => {}
                None => return Err(missing(&descriptor.digest)),
            }
        }
        for descriptor in document.manifests.iter().filter(|one| !one.is_blob()) {
            let key = rows::manifest(repository, &descriptor.digest);
            let row: Option<ManifestRow> = rows::get(reader, &key).await?;
            let row = row.ok_or_else(|| missing(&descriptor.digest))?;
            check_size(descriptor, row.size_bytes)?;
            children.manifests.insert(descriptor.digest, row);
        }
        children.check_files(context).await?;
        Ok(children)
    }

    /// A row whose file is damaged or gone counts as absent, so that the client pushes it again.
    async fn check_files(&self, context: &RequestContext) -> Result<(), RegistryError> {
        let manifests = self.manifests.iter().map(|(digest, row)| (*digest, row.size_bytes));
        let blobs = self.blobs.iter().map(|(digest, size)| (*digest, *size));
        let (all, files): (Vec<_>, _) =
            (blobs.chain(manifests).collect(), Arc::clone(&context.shared.files));
        let absent = blocking("what a manifest names cannot be looked at", move || {
            for (digest, size) in all {
                if !files.has(&digest, size)? {
                    return Ok(Some(digest));
                }
            }
            Ok(None)
        });
        absent.await?.map_or(Ok(()), |digest| Err(missing(&digest)))
    }

    async fn details(
        &self,
        context: &RequestContext,
        document: &Document,
    ) -> Result<Details, RegistryError> {
        let Some(config) = &document.config else {
            let named = document.manifests.iter();
            let children = named.filter_map(|one| Some((one, self.manifests.get(&one.digest)?)));
            return Ok(Details::of_index(children));
        };
        let sizes = document.layers.iter().chain([config]).map(|layer| layer.size);
        let named_bytes = sizes.fold(0, u64::saturating_add);
        if config.size > MOST_CONFIGURATION_BYTES {
            return Ok(Details::of_image(None, named_bytes));
        }
        let (files, digest, size) = (Arc::clone(&context.shared.files), config.digest, config.size);
        let read = move || files.read_all(&digest, size);
        let bytes = blocking("an image's configuration cannot be read", read).await?;
        Ok(Details::of_image(bytes.as_deref(), named_bytes))
    }

    /// Each child, and the row that makes it readable.
    fn rows(&self, repository: &RepositoryName) -> Vec<(Digest, Vec<u8>)> {
        let blobs = self.blobs.keys().map(|digest| (*digest, rows::link(repository, digest)));
        let manifests = self.manifests.keys();
        let manifests = manifests.map(|digest| (*digest, rows::manifest(repository, digest)));
        blobs.chain(manifests).collect()
    }
}

fn check_size(descriptor: &Descriptor, size: u64) -> Result<(), RegistryError> {
    if descriptor.size == size {
        return Ok(());
    }
    let (digest, said) = (descriptor.digest, descriptor.size);
    Err(ErrorKind::DescriptorSize { digest, size, said }.into())
}

fn missing(digest: &Digest) -> RegistryError {
    ErrorKind::ChildUnknown(*digest).into()
}

/// Writes edges from each child to the manifest, in batches that are guarded by the children's rows. Edges without a manifest
/// only keep content for longer.
async fn write_edges(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
    children: &Children,
) -> Result<(), RegistryError> {
    for children in children.rows(repository).chunks(FILL_ROWS) {
        let edge = |(child, _): &(Digest, _)| rows::mark(rows::edge(child, repository, digest));
        let guard = |(_, row): &(_, Vec<u8>)| RowGuard::Present(row.clone());
        let write = Write {
            rows: children.iter().map(edge).collect(),
            guards: children.iter().map(guard).collect(),
            is_part: true,
            ..context.write(Operation::PutManifest, repository)
        };
        match context.commit(write).await {
            Ok(_) => {}
            Err(CommitError::GuardFailed { key }) => {
                return Err(ErrorKind::ChildGone(rows::tail(&key).to_owned()).into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

fn changes(
    context: &RequestContext,
    repository: &RepositoryName,
    digest: &Digest,
    row: &ManifestRow,
    tags: &[TagName],
) -> Vec<Change> {
    let created = Repository { name: repository.clone(), created_at: context.now };
    let mut changes = vec![RepositoryChange::Create(created).into()];
    changes.extend(tags.iter().map(|tag| {
        RepositoryChange::PutTag(Tag {
            repository: repository.clone(),
            name: tag.clone(),
            digest: *digest,
            media_type: row.media_type.clone(),
            size_bytes: row.total_bytes,
            platforms: row.platforms.clone(),
            exposed_ports: row.exposed_ports.clone(),
            pushed_at: context.now,
            pushed_by: context.caller.principal.to_string(),
        })
        .into()
    }));
    changes
}

fn rows_of(
    repository: &RepositoryName,
    digest: &Digest,
    row: &ManifestRow,
    document: &Document,
) -> Vec<RowWrite> {
    let mut all = vec![rows::put(rows::manifest(repository, digest), row)];
    if let Some(subject) = &document.subject {
        let referrer = ReferrerRow {
            media_type: row.media_type.clone(),
            digest: *digest,
            size: row.size_bytes,
            artifact_type: document.shown_artifact_type().map(ToOwned::to_owned),
            annotations: document.annotations.clone(),
        };
        all.push(rows::put(rows::referrer(repository, subject, digest), &referrer));
    }
    all
}

/// Writes the bytes to an upload's file and settles it like a blob.
async fn settle(
    context: &RequestContext,
    digest: &Digest,
    bytes: Vec<u8>,
    committed: Write,
) -> Result<(), RegistryError> {
    let (id, size) = (UploadId::random(), bytes.len() as u64);
    let files = Arc::clone(&context.shared.files);
    let write = move || {
        let mut file = files.create(id)?;
        files.write(&mut file, &bytes)?;
        file.keep(size);
        Ok(())
    };
    let mut settled = blocking("a manifest cannot be written", write).await;
    if settled.is_ok() {
        settled = blob::settle(context, id, digest, size, committed).await;
    }
    if settled.is_err() {
        let files = Arc::clone(&context.shared.files);
        let discard = move || {
            files.discard(id);
            Ok(())
        };
        blocking("a manifest cannot be removed", discard).await?;
    }
    settled
}

fn created(
    repository: &RepositoryName,
    digest: &Digest,
    document: &Document,
    tags: &[TagName],
) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::CREATED;
    let headers: &mut HeaderMap = response.headers_mut();
    headers.insert(LOCATION, value(&format!("/v2/{repository}/manifests/{digest}")));
    headers.insert(DIGEST, value(&digest.to_string()));
    if let Some(subject) = &document.subject {
        headers.insert(HeaderName::from_static("oci-subject"), value(&subject.to_string()));
    }
    for tag in tags {
        headers.append(HeaderName::from_static("oci-tag"), value(tag.as_str()));
    }
    response
}
