//! A registry with one image, and the end of the link that takes streams. It can be away, hang, or lie.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures_util::{StreamExt as _, stream};
use model::{Digest, PinnedImage};
use oci_spec::image::{
    Arch, Config, Descriptor, ImageConfiguration, ImageManifestBuilder, MediaType, Os, RootFs,
    SCHEMA_VERSION,
};
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Longer than the mirror bears silence: Docker 20.10 goes on reading a download whose pull was cancelled while it waited for
/// bytes, so that it is the mirror that ends it.
const DEADLINE: Duration = Duration::from_secs(90);
const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mood {
    #[default]
    Fine,
    Away,
    Stuck,
    Lying,
}

#[derive(Debug, Default)]
struct Seen {
    mood: Mood,
    asked: usize,
    is_halfway: bool,
    is_let_go: bool,
    is_streaming: bool,
    streamed: Option<String>,
}

#[derive(Debug)]
struct Content {
    blobs: Vec<(Digest, Vec<u8>)>,
    seen: watch::Sender<Seen>,
}

/// The registry.
pub(crate) struct Registry {
    pub(crate) base: String,
    pub(crate) image: PinnedImage,
    content: Arc<Content>,
}

impl Registry {
    /// With an image of a shell that differs from that of every other test.
    pub(crate) async fn start() -> Self {
        Self::with_image(None).await
    }

    /// The same with an image that names this as its stop signal.
    pub(crate) async fn with_image(stop_signal: Option<&str>) -> Self {
        Self::with(stop_signal, MediaType::ImageLayer, |layer| layer).await
    }

    /// The same with a layer in zstd's format.
    pub(crate) async fn with_zstd() -> Self {
        Self::with(None, MediaType::ImageLayerZstd, |layer| zstd(&layer)).await
    }

    async fn with(
        stop_signal: Option<&str>,
        layer_type: MediaType,
        pack: impl FnOnce(Vec<u8>) -> Vec<u8>,
    ) -> Self {
        let layer = layer();
        let mut root = RootFs::default();
        root.set_diff_ids(vec![digest(&layer).to_string()]);
        let architecture = if cfg!(target_arch = "aarch64") { Arch::ARM64 } else { Arch::Amd64 };
        let mut config = ImageConfiguration::default();
        config.set_architecture(architecture).set_os(Os::Linux).set_rootfs(root);
        if let Some(signal) = stop_signal {
            let mut inner = Config::default();
            inner.set_stop_signal(Some(signal.to_owned()));
            config.set_config(Some(inner));
        }
        let config = serde_json::to_vec(&config).unwrap();
        let layer = pack(layer);
        let described = |media_type: MediaType, bytes: &[u8]| {
            let digest: oci_spec::image::Digest = digest(bytes).to_string().parse().unwrap();
            Descriptor::new(media_type, bytes.len() as u64, digest)
        };
        let manifest = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(described(MediaType::ImageConfig, &config))
            .layers(vec![described(layer_type, &layer)]);
        let manifest = serde_json::to_vec(&manifest.build().unwrap()).unwrap();
        let image =
            PinnedImage { repository: "team/shell".parse().unwrap(), digest: digest(&manifest) };
        let blobs = [manifest, config, layer].map(|bytes| (digest(&bytes), bytes)).to_vec();
        let content = Arc::new(Content { blobs, seen: watch::Sender::default() });
        let app = axum::Router::new().fallback(answer).with_state(Arc::clone(&content));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { base, image, content }
    }

    fn feel(&self, mood: Mood) {
        self.content.seen.send_modify(|seen| seen.mood = mood);
    }

    /// From now on its server is away.
    pub(crate) fn go_away(&self) {
        self.feel(Mood::Away);
    }

    /// From now on it is there again.
    pub(crate) fn come_back(&self) {
        self.feel(Mood::Fine);
    }

    /// From now on its layers stop halfway.
    pub(crate) fn get_stuck(&self) {
        self.feel(Mood::Stuck);
    }

    /// From now on its bytes are others.
    pub(crate) fn damage(&self) {
        self.feel(Mood::Lying);
    }

    /// How often it has been asked.
    pub(crate) fn asked(&self) -> usize {
        self.content.seen.borrow().asked
    }

    /// Waits until it is in the middle of a layer.
    pub(crate) async fn until_halfway(&self) {
        self.until("half of a layer is sent", |seen| seen.is_halfway.then_some(())).await;
    }

    /// Waits until whoever reads has hung up.
    pub(crate) async fn until_let_go(&self) {
        self.until("they hang up", |seen| seen.is_let_go.then_some(())).await;
    }

    /// Waits until a stream has begun.
    pub(crate) async fn until_streaming(&self) {
        self.until("a stream begins", |seen| seen.is_streaming.then_some(())).await;
    }

    /// All that came on a stream.
    pub(crate) async fn streamed(&self) -> String {
        self.until("a stream ends", |seen| seen.streamed.clone()).await
    }

    async fn until<T>(&self, what: &str, is: impl Fn(&Seen) -> Option<T>) -> T {
        let mut seen = self.content.seen.subscribe();
        let waiting = seen.wait_for(|seen| is(seen).is_some());
        let waited = tokio::time::timeout(DEADLINE, waiting).await;
        let waited = waited.unwrap_or_else(|_| panic!("{what}: not within {DEADLINE:?}"));
        is(&waited.unwrap()).unwrap()
    }
}

/// Half of the bytes, and then nothing more until whoever reads hangs up.
fn half(
    bytes: &[u8],
    content: Arc<Content>,
) -> impl futures_util::Stream<Item = Result<Bytes, Infallible>> + use<> {
    let half = Bytes::copy_from_slice(&bytes[..bytes.len() / 2]);
    let told = DropSignal(Arc::clone(&content));
    let rest = stream::once(async move {
        let _told = told;
        content.seen.send_modify(|seen| seen.is_halfway = true);
        std::future::pending().await
    });
    stream::iter([Ok::<_, Infallible>(half)]).chain(rest)
}

/// Tells when whoever reads hangs up.
struct DropSignal(Arc<Content>);

impl Drop for DropSignal {
    fn drop(&mut self) {
        self.0.seen.send_modify(|seen| seen.is_let_go = true);
    }
}

async fn answer(State(content): State<Arc<Content>>, request: Request) -> Response {
    if request.method() == Method::POST {
        content.seen.send_modify(|seen| seen.is_streaming = true);
        let bytes = axum::body::to_bytes(request.into_body(), 1 << 20).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        content.seen.send_modify(|seen| seen.streamed = Some(text));
        return StatusCode::NO_CONTENT.into_response();
    }
    content.seen.send_modify(|seen| seen.asked += 1);
    let mood = content.seen.borrow().mood;
    match mood {
        Mood::Away => return StatusCode::SERVICE_UNAVAILABLE.into_response(),
        Mood::Fine | Mood::Lying | Mood::Stuck => {}
    }
    let wanted = request.uri().path().rsplit('/').next().unwrap().parse::<Digest>();
    let found = content.blobs.iter().find(|(digest, _)| wanted.as_ref() == Ok(digest));
    let Some((digest, bytes)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut bytes = bytes.clone();
    if mood == Mood::Lying {
        bytes[0] ^= 1;
    }
    if mood == Mood::Stuck && bytes.len() > 2_000 {
        return Body::from_stream(half(&bytes, content)).into_response();
    }
    let kind = if bytes.len() < 2_000 { MANIFEST } else { "application/octet-stream" };
    let digest = digest.to_string();
    ([(header::CONTENT_TYPE.as_str(), kind), ("docker-content-digest", &digest)], bytes)
        .into_response()
}

/// A frame of raw blocks (RFC 8878 sections 3.1.1.1 and 3.1.1.2): zstd's format without its compression.
fn zstd(bytes: &[u8]) -> Vec<u8> {
    const MOST: usize = 128 << 10;
    // One segment, whose size follows in four bytes.
    let mut frame = vec![0x28, 0xb5, 0x2f, 0xfd, 0xa0];
    frame.extend(u32::try_from(bytes.len()).unwrap().to_le_bytes());
    let blocks = bytes.len().div_ceil(MOST);
    for (n, block) in bytes.chunks(MOST).enumerate() {
        let is_last = u32::from(n + 1 == blocks);
        let header = is_last | (u32::try_from(block.len()).unwrap() << 3);
        frame.extend(&header.to_le_bytes()[..3]);
        frame.extend(block);
    }
    frame
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::Sha256(Sha256::digest(bytes).into())
}

/// This host's shell and `sleep` with the libraries that they need, and a file that no other test has.
fn layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let programs = ["/bin/sh", "/bin/sleep", "/bin/dd", "/usr/bin/tail"].map(PathBuf::from);
    let mut files: BTreeSet<PathBuf> = programs.iter().cloned().collect();
    for program in &programs {
        let output = Command::new("ldd").arg(program).output().expect("libc brings ldd along");
        let text = String::from_utf8(output.stdout).unwrap();
        let words = text.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(words.map(PathBuf::from));
    }
    let unique = hex::encode(rand::random::<[u8; 32]>()).into_bytes();
    let files = files.into_iter().map(|file| (std::fs::read(&file).unwrap(), file));
    for (bytes, file) in files.chain([(unique, PathBuf::from("/unique"))]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        let name = file.strip_prefix("/").unwrap();
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}
