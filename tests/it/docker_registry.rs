//! What real clients push and pull, whole and of every platform.

use std::collections::HashMap;

use oci_spec::image::{
    Config, Descriptor, Digest, ImageConfiguration, ImageIndexBuilder, ImageManifest,
    ImageManifestBuilder, MediaType, Os, Platform, PlatformBuilder, RootFs, SCHEMA_VERSION,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use sha2::{Digest as _, Sha256};

use crate::harness::{Berth, docker, http, until};

#[test]
fn docker_pulls_back_what_it_pushed() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "team/hello", "1", "none");
    let reference = format!("{}/team/hello:latest", berth.registry());
    let pulled = docker::run(&berth, &["pull", &reference]);
    docker::run(&berth, &["image", "rm", "--force", &reference]);
    assert!(pulled.ok().contains("Digest: sha256:"));
    let missing = format!("{}/team/other:latest", berth.registry());
    docker::run(&berth, &["pull", &missing]).fails(1);
    berth.down();
}

/// Whoever loses a machine ends its login, and no other one.
#[test]
fn a_login_is_listed_with_its_client_and_ends_at_once_when_it_is_revoked() {
    let berth = Berth::up();
    docker::login(&berth);
    let image = docker::load(&berth, "mine", "1", &[]);
    docker::run(&berth, &["push", &image]).ok();
    let tokens: Vec<api::Token> = berth.list(&["token", "ls"]);
    let login = tokens.iter().find(|token| token.kind == api::TokenKind::RegistryLogin);
    let login = login.expect("the login");
    let client = login.client.as_deref().unwrap_or_default();
    assert!(client.starts_with("docker/"), "{client}");
    assert!(login.address.is_some_and(|address| address.is_loopback()), "{login:?}");
    let id = login.token_id.to_string();
    berth.run(&["token", "revoke", &id]).ok();
    let refused = docker::run(&berth, &["push", &image]).fails(1);
    assert!(refused.contains("unauthorized"), "{refused}");
    berth.run(&["token", "revoke", &id]).fails(3);
    docker::login(&berth);
    docker::run(&berth, &["push", &image]).ok();
    docker::run(&berth, &["image", "rm", "--force", &image]).ok();
    berth.down();
}

/// As buildx pushes it: images of several platforms, and beside each a manifest that attests how it was built and that
/// nobody can run.
#[test]
fn an_index_of_several_platforms_with_attestations_deploys_what_the_instance_runs() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "multi", "1", "none");
    let repository = Repository::of(&berth, "multi");
    let pushed: ImageManifest = repository.get("manifests/latest");
    let config: ImageConfiguration = repository.get(&format!("blobs/{}", pushed.config().digest()));
    let (own, foreign) =
        if cfg!(target_arch = "aarch64") { ("arm64", "amd64") } else { ("amd64", "arm64") };

    let mut children = Vec::new();
    let mut attestations = Vec::new();
    for (architecture, version) in [(foreign, "foreign"), (own, "own")] {
        let mut image = repository.push_image(&pushed, &config, architecture, version);
        attestations.push(repository.push_attestation(&image));
        image.set_platform(Some(platform("linux", architecture)));
        children.push(image);
    }
    children.extend(attestations);
    let index = ImageIndexBuilder::default()
        .schema_version(SCHEMA_VERSION)
        .media_type(MediaType::ImageIndex)
        .manifests(children)
        .build()
        .expect("all that an index needs is given");
    let index = repository.put_manifest("latest", MediaType::ImageIndex, &index);

    let tags: Vec<api::Tag> = berth.list(&["image", "tags", "multi"]);
    assert_eq!(tags[0].digest.to_string(), index.digest().as_ref());
    let platforms: Vec<String> = tags[0].platforms.iter().map(ToString::to_string).collect();
    assert_eq!(platforms, ["linux/amd64", "linux/arm64"]);
    berth.run(&["deploy", "multi"]).ok();
    let answer = http::get_from(&berth.router(), "multi.localhost", "/").expect("an answer");
    assert_eq!(answer.status, 200);
    assert!(answer.body.contains("version own"), "{}", answer.body);
    berth.down();
}

/// A repository of the registry, as a client speaks to it over HTTP.
struct Repository {
    base: String,
    authorization: String,
}

impl Repository {
    fn of(berth: &Berth, name: &str) -> Self {
        let base = format!("http://{}/v2/{name}", berth.registry());
        Self { base, authorization: format!("Bearer {}", berth.token()) }
    }

    #[track_caller]
    fn ask(&self, method: &str, url: &str, kind: &str, body: &str, status: u16) -> http::Answer {
        let headers = [("Authorization", self.authorization.as_str()), ("Content-Type", kind)];
        let answer = http::request(url, method, None, &headers, body).expect("an answer");
        assert_eq!(answer.status, status, "{method} {url}: {}", answer.body);
        answer
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> T {
        let answer = self.ask("GET", &format!("{}/{path}", self.base), "", "", 200);
        serde_json::from_str(&answer.body).expect("manifests and configurations are JSON")
    }

    fn push_blob(&self, media_type: MediaType, blob: &impl Serialize) -> Descriptor {
        let body = text(blob);
        let named = descriptor(media_type, &body);
        let begun = self.ask("POST", &format!("{}/blobs/uploads/", self.base), "", "", 202);
        let location = begun.header("location").expect("where to go on");
        let origin = self.base.split("/v2/").next().expect("a split has a first part");
        let join = if location.contains('?') { '&' } else { '?' };
        let url = format!("{origin}{location}{join}digest={}", named.digest());
        self.ask("PUT", &url, "application/octet-stream", &body, 201);
        named
    }

    fn put_manifest(
        &self,
        reference: &str,
        media_type: MediaType,
        manifest: &impl Serialize,
    ) -> Descriptor {
        let (url, body) = (format!("{}/manifests/{reference}", self.base), text(manifest));
        self.ask("PUT", &url, media_type.as_ref(), &body, 201);
        descriptor(media_type, &body)
    }

    fn put_image(&self, config: Descriptor, layers: Vec<Descriptor>) -> Descriptor {
        let image = ImageManifestBuilder::default()
            .schema_version(SCHEMA_VERSION)
            .media_type(MediaType::ImageManifest)
            .config(config)
            .layers(layers)
            .build()
            .expect("all that a manifest needs is given");
        let named = descriptor(MediaType::ImageManifest, &text(&image));
        self.put_manifest(named.digest().as_ref(), MediaType::ImageManifest, &image)
    }

    /// The pushed image once more, as an OCI image of another architecture and version.
    fn push_image(
        &self,
        pushed: &ImageManifest,
        config: &ImageConfiguration,
        architecture: &str,
        version: &str,
    ) -> Descriptor {
        let mut runtime = config.config().clone().unwrap_or_default();
        runtime.set_env(Some(vec![format!("SAMPLE_VERSION={version}")]));
        let mut config = config.clone();
        config.set_architecture(architecture.into()).set_config(Some(runtime));
        let mut layers = pushed.layers().clone();
        for layer in &mut layers {
            layer.set_media_type(MediaType::ImageLayerGzip);
        }
        self.put_image(self.push_blob(MediaType::ImageConfig, &config), layers)
    }

    fn push_attestation(&self, image: &Descriptor) -> Descriptor {
        let predicate = "https://slsa.dev/provenance/v0.2";
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate,
            "subject": [{"digest": {"sha256": image.digest().digest()}}],
        });
        let statement_type = MediaType::from("application/vnd.in-toto+json");
        let mut layer = self.push_blob(statement_type, &statement);
        let mut root = RootFs::default();
        root.set_diff_ids(vec![layer.digest().to_string()]);
        let mut config = ImageConfiguration::default();
        config
            .set_architecture("unknown".into())
            .set_os("unknown".into())
            .set_config(Some(Config::default()))
            .set_rootfs(root);
        layer.set_annotations(Some(annotations(&[("in-toto.io/predicate-type", predicate)])));
        let config = self.push_blob(MediaType::ImageConfig, &config);
        let mut child = self.put_image(config, vec![layer]);
        child.set_platform(Some(platform("unknown", "unknown")));
        child.set_annotations(Some(annotations(&[
            ("vnd.docker.reference.type", "attestation-manifest"),
            ("vnd.docker.reference.digest", image.digest().as_ref()),
        ])));
        child
    }
}

fn text(content: &impl Serialize) -> String {
    serde_json::to_string(content).expect("it has text keys only")
}

fn platform(os: &str, architecture: &str) -> Platform {
    let platform = PlatformBuilder::default().os(Os::from(os)).architecture(architecture);
    platform.build().expect("both words are given")
}

fn annotations(pairs: &[(&str, &str)]) -> HashMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

/// What names this content.
fn descriptor(media_type: MediaType, content: &str) -> Descriptor {
    let digest = model::Digest::Sha256(Sha256::digest(content).into());
    let digest: Digest = digest.to_string().parse().expect("both know SHA-256");
    Descriptor::new(media_type, content.len() as u64, digest)
}

#[test]
fn a_push_in_flight_survives_the_end_of_the_server() {
    let berth = Berth::up();
    docker::login(&berth);
    let image = docker::import_random(&berth, "big", 48 << 20);
    std::thread::scope(|scope| {
        let pushing = scope.spawn(|| docker::run(&berth, &["push", &image]));
        let uploads = berth.data().join("server/registry/uploads");
        until("bytes of a layer have come", || {
            let files = std::fs::read_dir(&uploads).into_iter().flatten().flatten();
            files.filter_map(|file| file.metadata().ok()).any(|file| file.len() > 1 << 20)
        });
        berth.kill("server");
        pushing.join().expect("no panic").ok();
    });
    docker::run(&berth, &["image", "rm", &image]).ok();
    docker::run(&berth, &["pull", &image]).ok();
    docker::run(&berth, &["image", "rm", &image]).ok();
    berth.down();
}

#[test]
fn a_layer_that_changed_on_disk_is_found_and_the_next_push_heals_it() {
    let berth = Berth::up();
    docker::login(&berth);
    let image = docker::import_random(&berth, "rotten", 8 << 20);
    docker::run(&berth, &["push", &image]).ok();
    berth.run(&["image", "verify"]).ok();

    let blobs = berth.data().join("server/registry/blobs/sha256");
    let files = std::fs::read_dir(blobs).expect("a directory").flatten();
    let files = files.flat_map(|shard| std::fs::read_dir(shard.path()).into_iter().flatten());
    let mut files: Vec<_> = files.flatten().map(|file| file.path()).collect();
    files.sort_by_key(|path| path.metadata().map_or(0, |about| about.len()));
    let layer = files.last().expect("a layer was pushed");
    let bytes = std::fs::read(layer).expect("it is readable");
    let flipped: Vec<u8> = [&bytes[..5_000], &[bytes[5_000] ^ 1], &bytes[5_001..]].concat();
    disk::write(layer, &flipped, 0o600).expect("it is written");

    let said = berth.run(&["image", "verify"]);
    let hex = layer.file_name().expect("a digest").to_string_lossy().into_owned();
    assert!(said.code == 1 && said.stdout.contains(&hex), "{said:?}");
    assert!(said.stdout.contains("rotten"), "{said:?}");
    docker::run(&berth, &["push", &image]).ok();
    berth.run(&["image", "verify"]).ok();
    docker::run(&berth, &["image", "rm", &image]).ok();
    docker::run(&berth, &["pull", &image]).ok();
    docker::run(&berth, &["image", "rm", &image]).ok();
    berth.down();
}
