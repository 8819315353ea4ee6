//! A registry on temporary data with a clock that tests own, and requests to it as clients write them.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use bytes::Bytes;
use futures_util::StreamExt as _;
use http::header::{CONTENT_LENGTH, HeaderName, LOCATION};
use http::{HeaderMap, HeaderValue, Method, Request, StatusCode};
use model::{
    AccessChange, Change, Clock, Credential, CredentialId, CredentialKind, Digest, Principal,
    Timestamp,
};
use oci_spec::image::{Descriptor, ImageManifestBuilder, MediaType, SCHEMA_VERSION};
use serde_json::{Value, json};
use store::Store;
use tempfile::TempDir;
use tower::ServiceExt as _;

use super::backend::control;
use crate::files::faults::Faults;
use crate::{Config, Registry, files};

pub(super) const OCI_IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
pub(super) const OCI_INDEX: &str = "application/vnd.oci.image.index.v1+json";
pub(super) const OCI_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
pub(super) const OCI_LAYER: &str = "application/vnd.oci.image.layer.v1.tar";

#[derive(Debug)]
pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) registry: Registry,
    pub(super) dir: TempDir,
    pub(super) clock: Arc<TestClock>,
    /// The administrator's token.
    pub(super) token: String,
}

impl World {
    pub(super) async fn new() -> Self {
        Self::on(Store::in_memory()).await
    }

    pub(super) async fn on(store: Store) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_000_000_000)));
        let registry = open(&store, &dir, &clock);
        let mut world = Self { store, registry, dir, clock, token: String::new() };
        world.token = world.user("admin").await;
        world
    }

    /// The registry as it is after its process ended and started again.
    pub(super) fn restart(&mut self) {
        self.registry = open(&self.store, &self.dir, &self.clock);
    }

    /// A token of a user.
    pub(super) async fn user(&self, name: &str) -> String {
        let secret = access::new_secret("berth_pat");
        let credential = Credential {
            id: CredentialId::new(
                self.clock.now(),
                name.repeat(10).as_bytes()[..10].try_into().unwrap(),
            ),
            kind: CredentialKind::Token,
            principal: Principal::User(name.to_owned()),
            hash: secret.hash,
            created_at: self.clock.now(),
            expires_at: None,
            last_use: None,
        };
        self.apply(vec![AccessChange::CreateCredential(credential).into()]).await;
        secret.text
    }

    pub(super) async fn apply(&self, changes: Vec<Change>) {
        self.store.apply(changes, self.clock.now()).await.unwrap();
    }

    pub(super) fn pass(&self, seconds: i64) {
        self.clock.0.fetch_add(seconds * 1_000, Ordering::SeqCst);
    }

    pub(super) fn faults(&self) -> &Faults {
        &self.registry.shared.files.faults
    }

    /// Files of uploads, finished or not.
    pub(super) fn uploads_on_disk(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("registry/uploads")).unwrap().count()
    }

    /// The file of an upload.
    pub(super) fn upload_file(&self, location: &str) -> std::path::PathBuf {
        self.dir.path().join("registry/uploads").join(location.rsplit('/').next().unwrap())
    }

    /// A request of the administrator.
    pub(super) fn request(&self, method: &str, uri: &str) -> TestRequest<'_> {
        self.stranger(method, uri).bearer(&self.token)
    }

    pub(super) fn get(&self, uri: &str) -> TestRequest<'_> {
        self.request("GET", uri)
    }

    /// A request of nobody in particular.
    pub(super) fn stranger(&self, method: &str, uri: &str) -> TestRequest<'_> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = Method::from_bytes(method.as_bytes()).unwrap();
        *request.uri_mut() = uri.parse().unwrap();
        request.headers_mut().insert("host", HeaderValue::from_static("localhost:5000"));
        TestRequest { world: self, request }
    }

    /// Pushes a blob in one request.
    pub(super) async fn blob(&self, repository: &str, bytes: &[u8]) -> Digest {
        let digest = files::sha256(bytes);
        let uri = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
        self.request("POST", &uri).body(bytes).send().await.expect(StatusCode::CREATED);
        digest
    }

    /// Where a new upload is.
    pub(super) async fn upload(&self, repository: &str) -> String {
        let uri = format!("/v2/{repository}/blobs/uploads/");
        self.request("POST", &uri).send().await.expect(StatusCode::ACCEPTED).header("location")
    }

    /// Pushes an image of one layer, and answers its manifest.
    pub(super) async fn image(&self, repository: &str, reference: &str, layer: &[u8]) -> Vec<u8> {
        let config = json!({
            "os": "linux", "architecture": "amd64",
            "config": { "ExposedPorts": { "8080/tcp": {} } },
        });
        let config = config.to_string().into_bytes();
        self.blob(repository, &config).await;
        self.blob(repository, layer).await;
        let manifest = image(&config, &[layer]);
        self.manifest(repository, reference, OCI_IMAGE, &manifest)
            .await
            .expect(StatusCode::CREATED);
        manifest
    }

    pub(super) async fn manifest(
        &self,
        repository: &str,
        reference: &str,
        media_type: &'static str,
        bytes: &[u8],
    ) -> Reply {
        let uri = format!("/v2/{repository}/manifests/{reference}");
        self.request("PUT", &uri).header("content-type", media_type).body(bytes).send().await
    }
}

fn open(store: &Store, dir: &TempDir, clock: &Arc<TestClock>) -> Registry {
    let config = Config {
        reader: store.reader(),
        control: control(store, Arc::<TestClock>::clone(clock)),
        dir: dir.path().join("registry"),
        low_water: Some(1),
        clock: Arc::<TestClock>::clone(clock),
        service: "berth".to_owned(),
    };
    Registry::open(config).unwrap()
}

/// The manifest of an image.
pub(super) fn image(config: &[u8], layers: &[&[u8]]) -> Vec<u8> {
    let layers: Vec<Descriptor> = layers.iter().map(|layer| described(OCI_LAYER, layer)).collect();
    let manifest = ImageManifestBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageManifest)
        .config(described(OCI_CONFIG, config))
        .layers(layers);
    serde_json::to_vec(&manifest.build().unwrap()).unwrap()
}

fn described(media_type: &str, bytes: &[u8]) -> Descriptor {
    let digest: oci_spec::image::Digest = files::sha256(bytes).to_string().parse().unwrap();
    Descriptor::new(media_type.into(), bytes.len() as u64, digest)
}

/// The same as JSON, to be spoilt.
pub(super) fn descriptor(media_type: &str, bytes: &[u8]) -> Value {
    serde_json::to_value(described(media_type, bytes)).unwrap()
}

/// A request that is being written.
pub(super) struct TestRequest<'a> {
    world: &'a World,
    request: Request<Body>,
}

impl TestRequest<'_> {
    pub(super) fn header(mut self, name: &'static str, value: &str) -> Self {
        let name = HeaderName::from_static(name);
        self.request.headers_mut().insert(name, value.parse().unwrap());
        self
    }

    pub(super) fn bearer(self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {token}"))
    }

    pub(super) fn basic(self, user: &str, password: &str) -> Self {
        use base64::Engine as _;
        let text = base64::prelude::BASE64_STANDARD.encode(format!("{user}:{password}"));
        self.header("authorization", &format!("Basic {text}"))
    }

    /// As the link proves it.
    pub(super) fn principal(mut self, principal: Principal) -> Self {
        self.request.extensions_mut().insert(principal);
        self
    }

    /// A body whose length is known.
    pub(super) fn body(mut self, bytes: &[u8]) -> Self {
        self.request.headers_mut().insert(CONTENT_LENGTH, bytes.len().into());
        *self.request.body_mut() = Body::from(bytes.to_vec());
        self
    }

    /// A body in pieces of which one may fail.
    pub(super) fn stream(mut self, pieces: Vec<Result<&'static [u8], std::io::Error>>) -> Self {
        let pieces = pieces.into_iter().map(|piece| piece.map(Bytes::from_static));
        *self.request.body_mut() = Body::from_stream(futures_util::stream::iter(pieces));
        self
    }

    pub(super) fn raw_body(mut self, body: Body) -> Self {
        *self.request.body_mut() = body;
        self
    }

    pub(super) async fn send(self) -> Reply {
        let (reply, is_whole) = self.send_until_cut().await;
        assert!(is_whole, "the answer was cut off: {reply:?}");
        reply
    }

    /// What came of the answer, and whether it came to its end.
    pub(super) async fn send_until_cut(self) -> (Reply, bool) {
        let response = self.world.registry.router().oneshot(self.request).await.unwrap();
        let (parts, body) = response.into_parts();
        let (mut body, mut bytes, mut is_whole) = (body.into_data_stream(), Vec::new(), true);
        while let Some(piece) = body.next().await {
            match piece {
                Ok(piece) => bytes.extend_from_slice(&piece),
                Err(_) => is_whole = false,
            }
        }
        let body = bytes.into();
        (Reply { status: parts.status, headers: parts.headers, body }, is_whole)
    }
}

/// What came back.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Reply {
    #[track_caller]
    pub(super) fn expect(self, status: StatusCode) -> Self {
        let body = String::from_utf8_lossy(&self.body[..self.body.len().min(500)]);
        assert_eq!(self.status, status, "{body}");
        self
    }

    /// An error with this status and code.
    #[track_caller]
    pub(super) fn refused(self, status: u16, code: &str) -> Self {
        let reply = self.expect(StatusCode::from_u16(status).unwrap());
        assert_eq!(reply.json()["errors"][0]["code"], code);
        reply
    }

    #[track_caller]
    pub(super) fn header(&self, name: &str) -> String {
        let value = self.headers.get(name).unwrap_or_else(|| panic!("no `{name}` in {self:?}"));
        value.to_str().unwrap().to_owned()
    }

    pub(super) fn has(&self, name: &str) -> bool {
        self.headers.contains_key(name)
    }

    #[track_caller]
    pub(super) fn location(&self) -> String {
        self.header(LOCATION.as_str())
    }

    #[track_caller]
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}
