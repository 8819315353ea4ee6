//! What a manifest says, read leniently: unknown fields are kept in the bytes and not looked at. Refused is only what two
//! readers could understand differently (CVE-2021-41190), what no client can use, and what is beyond the limits.

use std::collections::BTreeMap;

use model::{Digest, Platform};
use oci_spec::image::{MediaType, ToDockerV2S2 as _};
use serde::Deserialize;

/// Descriptors that one manifest has at most.
const MOST_DESCRIPTORS: usize = 10_000;
/// How deep its JSON may nest.
const DEEPEST: usize = 64;
/// Bytes of annotations that a manifest with a subject has at most: the list of referrers repeats them.
const MOST_REFERRER_BYTES: usize = 64 << 10;

/// The kinds of manifests that are taken: OCI's two, and the same by Docker's older names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ManifestKind {
    OciImage,
    OciIndex,
    DockerImage,
    DockerList,
}

static IMAGE: MediaType = MediaType::ImageManifest;
static INDEX: MediaType = MediaType::ImageIndex;

impl ManifestKind {
    const ALL: [Self; 4] = [Self::OciImage, Self::OciIndex, Self::DockerImage, Self::DockerList];

    /// Its media type.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::OciImage => IMAGE.as_ref(),
            Self::OciIndex => INDEX.as_ref(),
            Self::DockerImage => docker(&IMAGE),
            Self::DockerList => docker(&INDEX),
        }
    }

    fn parse(text: &str) -> Result<Self, DocumentError> {
        let known = Self::ALL.into_iter().find(|known| known.as_str() == text);
        known.ok_or_else(|| DocumentError::MediaType(text.chars().take(120).collect()))
    }

    fn is_index(self) -> bool {
        match self {
            Self::OciIndex | Self::DockerList => true,
            Self::OciImage | Self::DockerImage => false,
        }
    }
}

fn docker(media_type: &'static MediaType) -> &'static str {
    media_type.to_docker_v2s2().expect("Docker has a name for images and for indexes")
}

/// A manifest that is consistent in itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Document {
    pub(crate) media_type: ManifestKind,
    /// None: an index.
    pub(crate) config: Option<Descriptor>,
    pub(crate) layers: Vec<Descriptor>,
    pub(crate) manifests: Vec<Descriptor>,
    pub(crate) subject: Option<Digest>,
    pub(crate) artifact_type: Option<String>,
    pub(crate) annotations: BTreeMap<String, String>,
}

/// A descriptor (OCI image spec).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Descriptor {
    #[serde(default)]
    pub(crate) media_type: String,
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    urls: Option<Vec<String>>,
    platform: Option<DescribedPlatform>,
    annotations: Option<BTreeMap<String, String>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
struct DescribedPlatform {
    #[serde(default)]
    os: String,
    #[serde(default)]
    architecture: String,
}

impl Descriptor {
    /// Whether its bytes may be elsewhere: a foreign layer.
    pub(crate) fn is_foreign(&self) -> bool {
        self.urls.as_ref().is_some_and(|urls| !urls.is_empty())
            || self.media_type.contains(".nondistributable.")
            || self.media_type.contains(".foreign.")
    }

    /// Whether it names a blob, as some of an index do: the cache that a build exports (`cacheconfig.v0`) is an index of
    /// layers and of its own configuration.
    pub(crate) fn is_blob(&self) -> bool {
        !self.media_type.is_empty() && ManifestKind::parse(&self.media_type).is_err()
    }

    /// Whether it is an attestation of another image of the index, which never runs.
    pub(crate) fn is_attestation(&self) -> bool {
        let annotations = self.annotations.as_ref();
        annotations.is_some_and(|all| all.contains_key("vnd.docker.reference.type"))
            || self.platform.as_ref().is_some_and(|platform| platform.os == "unknown")
    }

    /// Its platform, where it has one.
    pub(crate) fn platform(&self) -> Option<Platform> {
        let DescribedPlatform { os, architecture } = self.platform.as_ref()?;
        platform(os, architecture)
    }
}

/// A platform with both values; None where one is empty or longer than 64 bytes, which no platform's is.
pub(crate) fn platform(os: &str, architecture: &str) -> Option<Platform> {
    let fits = |word: &str| (1..=64).contains(&word.len());
    (fits(os) && fits(architecture)).then(|| Platform::new(os, architecture))
}

/// Why a manifest is refused.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DocumentError {
    #[error("the manifest is not the JSON that it should be: {0}")]
    Json(#[source] serde_json::Error),
    #[error("the manifest nests deeper than {DEEPEST} levels")]
    TooDeep,
    #[error("`{0}` is not a media type of manifests that this registry takes")]
    MediaType(String),
    #[error("the manifest has no media type: send it as `Content-Type`")]
    NoMediaType,
    #[error("the media type `{body}` in the manifest is not the `{header}` of its `Content-Type`")]
    TypeMismatch { body: String, header: String },
    #[error("manifests of schema version 1 are not taken; push with a client of this decade")]
    Schema1,
    #[error("`schemaVersion` must be 2")]
    SchemaVersion,
    #[error("an image manifest has a `config` and no `manifests`")]
    NotAnImage,
    #[error("an index has `manifests` and neither `config` nor `layers`")]
    NotAnIndex,
    #[error("the manifest names more than {MOST_DESCRIPTORS} descriptors")]
    TooMany,
    #[error("the annotations of a manifest with a subject may have 64 KiB in all")]
    LargeAnnotations,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    schema_version: Option<u64>,
    media_type: Option<String>,
    artifact_type: Option<String>,
    config: Option<Descriptor>,
    layers: Option<Vec<Descriptor>>,
    manifests: Option<Vec<Descriptor>>,
    subject: Option<Descriptor>,
    annotations: Option<BTreeMap<String, String>>,
}

impl Document {
    /// Reads a manifest that came with this `Content-Type`.
    pub(crate) fn read(bytes: &[u8], content_type: Option<&str>) -> Result<Self, DocumentError> {
        let header = content_type.map(|text| text.split(';').next().unwrap_or_default().trim());
        if header.is_some_and(|header| {
            header.starts_with("application/vnd.docker.distribution.manifest.v1+")
        }) {
            return Err(DocumentError::Schema1);
        }
        if nests_deeper(bytes, DEEPEST) {
            return Err(DocumentError::TooDeep);
        }
        let written: Written = serde_json::from_slice(bytes).map_err(DocumentError::Json)?;
        match written.schema_version {
            Some(2) => {}
            Some(1) => return Err(DocumentError::Schema1),
            Some(_) | None => return Err(DocumentError::SchemaVersion),
        }
        let media_type = match (header, written.media_type.as_deref()) {
            (Some(header), Some(body)) if header != body => {
                let (body, header) = (body.chars().take(120).collect(), header.to_owned());
                return Err(DocumentError::TypeMismatch { body, header });
            }
            (Some(text), _) | (None, Some(text)) => ManifestKind::parse(text)?,
            (None, None) => return Err(DocumentError::NoMediaType),
        };
        written.checked(media_type)
    }

    /// What the list of referrers calls it.
    pub(crate) fn shown_artifact_type(&self) -> Option<&str> {
        let config = self.config.as_ref().map(|config| config.media_type.as_str());
        self.artifact_type.as_deref().or(config).filter(|text| !text.is_empty())
    }
}

impl Written {
    fn checked(self, media_type: ManifestKind) -> Result<Document, DocumentError> {
        let Self { config, layers, manifests, subject, artifact_type, annotations, .. } = self;
        if media_type.is_index() && (config.is_some() || layers.is_some() || manifests.is_none()) {
            return Err(DocumentError::NotAnIndex);
        }
        if !media_type.is_index() && (config.is_none() || manifests.is_some()) {
            return Err(DocumentError::NotAnImage);
        }
        let (layers, manifests) = (layers.unwrap_or_default(), manifests.unwrap_or_default());
        if layers.len() + manifests.len() > MOST_DESCRIPTORS {
            return Err(DocumentError::TooMany);
        }
        let annotations = annotations.unwrap_or_default();
        let bytes: usize = annotations.iter().map(|(key, text)| key.len() + text.len()).sum();
        if subject.is_some() && bytes > MOST_REFERRER_BYTES {
            return Err(DocumentError::LargeAnnotations);
        }
        let subject = subject.map(|subject| subject.digest);
        Ok(Document { media_type, config, layers, manifests, subject, artifact_type, annotations })
    }
}

/// Whether brackets outside of strings nest deeper than `most`.
fn nests_deeper(bytes: &[u8], most: usize) -> bool {
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    for byte in bytes {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_string,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => depth += 1,
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth > most {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
    const INDEX: &str = "application/vnd.oci.image.index.v1+json";
    const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
    const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

    fn descriptor() -> serde_json::Value {
        let digest = format!("sha256:{}", "00".repeat(32));
        json!({ "mediaType": "application/vnd.oci.image.config.v1+json", "digest": digest, "size": 2 })
    }

    fn read(value: &serde_json::Value, content_type: &str) -> Result<Document, DocumentError> {
        Document::read(value.to_string().as_bytes(), Some(content_type))
    }

    #[test]
    fn manifests_have_four_media_types() {
        let known = ManifestKind::ALL.map(ManifestKind::as_str);
        assert_eq!(known, [IMAGE, INDEX, DOCKER_IMAGE, DOCKER_LIST]);
    }

    /// As tools of many years and of no specification push them; `oci-spec`'s own types refuse each of these.
    #[test]
    fn what_is_unknown_or_missing_and_harms_nobody_is_taken() {
        let digest = descriptor()["digest"].clone();
        let bare = json!({ "digest": digest, "size": 2, "x": [1], "annotations": null });
        let odd = json!({ "mediaType": "application/vnd.example+json", "digest": digest, "size": 2,
            "platform": { "os.version": 7 }, "artifactType": 3, "data": {} });
        let image = json!({ "schemaVersion": 2, "config": bare, "layers": [odd], "signatures": [], "x": null });
        for media_type in [IMAGE, DOCKER_IMAGE] {
            let document = read(&image, media_type).unwrap();
            assert_eq!(document.layers[0].platform(), None);
        }
        let index = json!({ "schemaVersion": 2, "manifests": [bare, odd], "x": {} });
        for media_type in [INDEX, DOCKER_LIST] {
            assert_eq!(read(&index, media_type).unwrap().manifests.len(), 2);
        }
        let without_layers = json!({ "schemaVersion": 2, "config": descriptor() });
        assert!(read(&without_layers, IMAGE).is_ok());
    }

    #[test]
    fn what_could_be_understood_in_two_ways_is_refused() {
        let image =
            json!({ "schemaVersion": 2, "mediaType": IMAGE, "config": descriptor(), "layers": [] });
        assert!(read(&image, IMAGE).is_ok());
        assert!(read(&image, &format!("{IMAGE}; charset=utf-8")).is_ok());
        assert!(matches!(read(&image, INDEX), Err(DocumentError::TypeMismatch { .. })));
        let both =
            json!({ "schemaVersion": 2, "config": descriptor(), "layers": [], "manifests": [] });
        assert!(matches!(read(&both, IMAGE), Err(DocumentError::NotAnImage)));
        assert!(matches!(read(&both, INDEX), Err(DocumentError::NotAnIndex)));
        let twice = r#"{"schemaVersion":2,"manifests":[],"manifests":[]}"#;
        assert!(matches!(
            Document::read(twice.as_bytes(), Some(INDEX)),
            Err(DocumentError::Json(_))
        ));
    }

    #[test]
    fn what_no_client_can_use_is_refused() {
        let bad = |value: serde_json::Value, content_type: &str| {
            assert!(read(&value, content_type).is_err(), "{value} as {content_type}");
        };
        bad(json!({}), IMAGE);
        bad(json!([]), IMAGE);
        bad(json!({ "schemaVersion": 2 }), IMAGE);
        bad(json!({ "schemaVersion": 2 }), INDEX);
        bad(json!({ "schemaVersion": 3, "manifests": [] }), INDEX);
        bad(json!({ "schemaVersion": 2, "manifests": [] }), "application/json");
        bad(json!({ "schemaVersion": 1, "fsLayers": [] }), IMAGE);
        let schema1 = "application/vnd.docker.distribution.manifest.v1+prettyjws";
        assert!(matches!(read(&json!({}), schema1), Err(DocumentError::Schema1)));
        bad(
            json!({ "schemaVersion": 2, "manifests": [{ "digest": "sha256:0", "size": 1 }] }),
            INDEX,
        );
        let mut negative = descriptor();
        negative["size"] = json!(-1);
        bad(json!({ "schemaVersion": 2, "manifests": [negative] }), INDEX);
        let untyped = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
        assert!(matches!(
            Document::read(untyped.as_bytes(), None),
            Err(DocumentError::NoMediaType)
        ));
    }

    #[test]
    fn what_is_beyond_the_limits_is_refused_without_harm() {
        let deep =
            format!(r#"{{"schemaVersion":2,"x":{}1{}}}"#, "[".repeat(10_000), "]".repeat(10_000));
        assert!(matches!(
            Document::read(deep.as_bytes(), Some(INDEX)),
            Err(DocumentError::TooDeep)
        ));
        let many = vec![descriptor(); MOST_DESCRIPTORS + 1];
        let many = json!({ "schemaVersion": 2, "config": descriptor(), "layers": many });
        assert!(matches!(read(&many, IMAGE), Err(DocumentError::TooMany)));
        let annotations = json!({ "a": "x".repeat(MOST_REFERRER_BYTES) });
        let mut large = json!({ "schemaVersion": 2, "manifests": [], "annotations": annotations });
        assert!(read(&large, INDEX).is_ok());
        large["subject"] = descriptor();
        assert!(matches!(read(&large, INDEX), Err(DocumentError::LargeAnnotations)));
    }

    #[test]
    fn brackets_in_strings_do_not_nest() {
        assert!(!nests_deeper(br#"{"a":"[[[[\"[[[["}"#, 1));
        assert!(nests_deeper(br#"{"a\\":[["b"]]}"#, 2));
    }

    proptest! {
        #[test]
        fn no_bytes_panic_the_reader(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            drop(Document::read(&bytes, Some(IMAGE)));
        }
    }
}
