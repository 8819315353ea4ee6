//! What real clients push and pull, whole and of every platform.

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use crate::harness::{Berth, docker, http};

const IMAGE: &str = "application/vnd.oci.image.manifest.v1+json";
const INDEX: &str = "application/vnd.oci.image.index.v1+json";
const CONFIG: &str = "application/vnd.oci.image.config.v1+json";

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

/// As buildx pushes it: images of several platforms, and beside each a manifest that attests how it was built and that
/// nobody can run.
#[test]
fn an_index_of_several_platforms_with_attestations_deploys_what_the_instance_runs() {
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "multi", "1", "none");
    let repository = Repository::of(&berth, "multi");
    let pushed = repository.get("manifests/latest");
    let config = repository.get(&format!("blobs/{}", text(&pushed["config"]["digest"])));
    let (own, foreign) =
        if cfg!(target_arch = "aarch64") { ("arm64", "amd64") } else { ("amd64", "arm64") };

    let mut children = Vec::new();
    let mut attestations = Vec::new();
    for (architecture, version) in [(foreign, "foreign"), (own, "own")] {
        let image = repository.push_image(&pushed, &config, architecture, version);
        attestations.push(repository.push_attestation(&image));
        children.push(with(
            image,
            "platform",
            json!({"architecture": architecture, "os": "linux"}),
        ));
    }
    children.extend(attestations);
    let index = json!({"schemaVersion": 2, "mediaType": INDEX, "manifests": children});
    let index = repository.put_manifest("latest", INDEX, &index);

    let tags = berth.json(&["image", "tags", "multi"]);
    assert_eq!(tags["items"][0]["digest"], index["digest"]);
    assert_eq!(tags["items"][0]["platforms"], json!(["linux/amd64", "linux/arm64"]));
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

    fn get(&self, path: &str) -> Value {
        let answer = self.ask("GET", &format!("{}/{path}", self.base), "", "", 200);
        serde_json::from_str(&answer.body).expect("manifests and configurations are JSON")
    }

    fn push_blob(&self, kind: &str, blob: &Value) -> Value {
        let (body, named) = (blob.to_string(), descriptor(kind, blob));
        let begun = self.ask("POST", &format!("{}/blobs/uploads/", self.base), "", "", 202);
        let location = begun.header("location").expect("where to go on");
        let origin = self.base.split("/v2/").next().expect("a split has a first part");
        let join = if location.contains('?') { '&' } else { '?' };
        let url = format!("{origin}{location}{join}digest={}", text(&named["digest"]));
        self.ask("PUT", &url, "application/octet-stream", &body, 201);
        named
    }

    fn put_manifest(&self, reference: &str, kind: &str, manifest: &Value) -> Value {
        let url = format!("{}/manifests/{reference}", self.base);
        self.ask("PUT", &url, kind, &manifest.to_string(), 201);
        descriptor(kind, manifest)
    }

    fn put_image(&self, config: &Value, layers: &Value) -> Value {
        let image =
            json!({"schemaVersion": 2, "mediaType": IMAGE, "config": config, "layers": layers});
        self.put_manifest(text(&descriptor(IMAGE, &image)["digest"]), IMAGE, &image)
    }

    /// The pushed image once more, as an OCI image of another architecture and version.
    fn push_image(
        &self,
        pushed: &Value,
        config: &Value,
        architecture: &str,
        version: &str,
    ) -> Value {
        let mut config = with(config.clone(), "architecture", json!(architecture));
        config["config"]["Env"] = json!([format!("SAMPLE_VERSION={version}")]);
        let layers = pushed["layers"].as_array().expect("an image has layers").iter();
        let kind = "application/vnd.oci.image.layer.v1.tar+gzip";
        let layers = layers.map(|layer| with(layer.clone(), "mediaType", json!(kind)));
        self.put_image(&self.push_blob(CONFIG, &config), &layers.collect())
    }

    fn push_attestation(&self, image: &Value) -> Value {
        let predicate = "https://slsa.dev/provenance/v0.2";
        let statement = json!({
            "_type": "https://in-toto.io/Statement/v0.1", "predicateType": predicate,
            "subject": [{"digest": {"sha256": text(&image["digest"]).trim_start_matches("sha256:")}}],
        });
        let layer = self.push_blob("application/vnd.in-toto+json", &statement);
        let config = json!({
            "architecture": "unknown", "os": "unknown", "config": {},
            "rootfs": {"type": "layers", "diff_ids": [layer["digest"]]},
        });
        let layer = with(layer, "annotations", json!({"in-toto.io/predicate-type": predicate}));
        let mut child = self.put_image(&self.push_blob(CONFIG, &config), &json!([layer]));
        child["platform"] = json!({"architecture": "unknown", "os": "unknown"});
        child["annotations"] = json!({
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": image["digest"],
        });
        child
    }
}

fn text(value: &Value) -> &str {
    value.as_str().expect("a text")
}

fn with(mut object: Value, key: &str, value: Value) -> Value {
    object[key] = value;
    object
}

/// What names this content.
fn descriptor(kind: &str, content: &Value) -> Value {
    let bytes = content.to_string();
    let digest = model::Digest::Sha256(Sha256::digest(&bytes).into());
    json!({"mediaType": kind, "digest": digest, "size": bytes.len()})
}
