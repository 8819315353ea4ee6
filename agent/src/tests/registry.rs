//! A registry with one image, and the end of the link that takes streams. It can be away, hang, or lie.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Digest, PinnedImage};
use serde_json::json;
use sha2::{Digest as _, Sha256};
use tokio::net::TcpListener;
use tokio::sync::watch;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";

/// How the registry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Mood {
    #[default]
    Fine,
    Away,
    Hanging,
    Lying,
}

#[derive(Debug, Default)]
struct Seen {
    mood: Mood,
    asked: usize,
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
        let layer = layer();
        let config = json!({
            "architecture": if cfg!(target_arch = "aarch64") { "arm64" } else { "amd64" },
            "os": "linux",
            "config": {"Labels": {"unique": Digest::Sha256(rand::random()).hex()}},
            "rootfs": {"type": "layers", "diff_ids": [digest(&layer).to_string()]},
        });
        let config = config.to_string().into_bytes();
        let described = |kind: &str, bytes: &[u8]| {
            let kind = format!("application/vnd.oci.image.{kind}");
            json!({"mediaType": kind, "digest": digest(bytes).to_string(), "size": bytes.len()})
        };
        let manifest = json!({
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described("config.v1+json", &config),
            "layers": [described("layer.v1.tar", &layer)],
        });
        let manifest = manifest.to_string().into_bytes();
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

    /// From now on it answers nothing.
    pub(crate) fn hang(&self) {
        self.feel(Mood::Hanging);
    }

    /// From now on its bytes are others.
    pub(crate) fn damage(&self) {
        self.feel(Mood::Lying);
    }

    /// How often it has been asked.
    pub(crate) fn asked(&self) -> usize {
        self.content.seen.borrow().asked
    }

    /// Waits until it has been asked.
    pub(crate) async fn until_asked(&self) {
        self.content.seen.subscribe().wait_for(|seen| seen.asked > 0).await.unwrap();
    }

    /// Waits until a stream has begun.
    pub(crate) async fn until_streaming(&self) {
        self.content.seen.subscribe().wait_for(|seen| seen.is_streaming).await.unwrap();
    }

    /// All that came on a stream.
    pub(crate) async fn streamed(&self) -> String {
        let mut seen = self.content.seen.subscribe();
        seen.wait_for(|seen| seen.streamed.is_some()).await.unwrap().streamed.clone().unwrap()
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
        Mood::Hanging => std::future::pending::<()>().await,
        Mood::Fine | Mood::Lying => {}
    }
    let wanted = request.uri().path().rsplit('/').next().unwrap().parse::<Digest>();
    let found = content.blobs.iter().find(|(digest, _)| wanted.as_ref() == Ok(digest));
    let Some((digest, bytes)) = found else { return StatusCode::NOT_FOUND.into_response() };
    let mut bytes = bytes.clone();
    if mood == Mood::Lying {
        bytes[0] ^= 1;
    }
    let kind = if bytes.len() < 2_000 { MANIFEST } else { "application/octet-stream" };
    let digest = digest.to_string();
    ([(header::CONTENT_TYPE.as_str(), kind), ("docker-content-digest", &digest)], bytes)
        .into_response()
}

fn digest(bytes: &[u8]) -> Digest {
    Digest::Sha256(Sha256::digest(bytes).into())
}

/// This host's shell and `sleep` with the libraries that they need.
fn layer() -> Vec<u8> {
    let mut tar = tar::Builder::new(Vec::new());
    let programs = ["/bin/sh", "/bin/sleep"].map(PathBuf::from);
    let mut files: BTreeSet<PathBuf> = programs.iter().cloned().collect();
    for program in &programs {
        let output = Command::new("ldd").arg(program).output().expect("libc brings ldd along");
        let text = String::from_utf8(output.stdout).unwrap();
        let words = text.split_whitespace().filter(|word| word.starts_with('/'));
        files.extend(words.map(PathBuf::from));
    }
    for file in files {
        let bytes = std::fs::read(&file).unwrap();
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o755);
        let name = file.strip_prefix("/").unwrap();
        tar.append_data(&mut header, name, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap()
}
