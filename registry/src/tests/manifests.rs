//! Manifests: kept as they are, checked for what they require, and described for the scheduler.

use http::StatusCode;
use model::{Digest, Platform};
use serde_json::{Value, json};
use sha2::Digest as _;

use super::world::{OCI_CONFIG, OCI_IMAGE, OCI_INDEX, OCI_LAYER, World, descriptor, image};
use crate::files;

const OK: StatusCode = StatusCode::OK;
const CREATED: StatusCode = StatusCode::CREATED;
const DOCKER_IMAGE: &str = "application/vnd.docker.distribution.manifest.v2+json";
const DOCKER_LIST: &str = "application/vnd.docker.distribution.manifest.list.v2+json";

#[tokio::test]
async fn a_manifest_reads_back_byte_for_byte_with_its_type() {
    let world = World::new().await;
    let config = b"{}";
    world.blob("a", config).await;
    let odd = format!(
        "{{ \"x-unknown\" : [1,\t2],\n\"config\": {}, \"layers\":[], \"schemaVersion\":2 }}\n",
        descriptor(OCI_CONFIG, config)
    );
    let digest = files::sha256(odd.as_bytes());
    for media_type in [OCI_IMAGE, DOCKER_IMAGE] {
        let put = world.manifest("a", "v1", media_type, odd.as_bytes()).await.expect(CREATED);
        assert_eq!(put.location(), format!("/v2/a/manifests/{digest}"));
        for reference in ["v1".to_owned(), digest.to_string()] {
            let uri = format!("/v2/a/manifests/{reference}");
            let get = world.get(&uri).header("accept", "text/plain").send().await.expect(OK);
            assert_eq!(&get.body[..], odd.as_bytes());
            let head = world.request("HEAD", &uri).send().await.expect(OK);
            assert_eq!(head.body.len(), 0);
            for reply in [get, head] {
                assert_eq!(reply.header("content-type"), media_type);
                assert_eq!(reply.header("docker-content-digest"), digest.to_string());
                assert_eq!(reply.header("content-length"), odd.len().to_string());
            }
            let again = world.get(&uri).header("if-none-match", &format!("\"{digest}\""));
            again.send().await.expect(StatusCode::NOT_MODIFIED);
        }
    }
}

#[tokio::test]
async fn a_manifest_goes_by_its_own_digest_only() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let manifest = image(b"{}", &[]);
    let sha512 = Digest::Sha512(sha2::Sha512::digest(&manifest).into());
    for digest in [files::sha256(&manifest), sha512] {
        let reference = digest.to_string();
        let put = world.manifest("a", &reference, OCI_IMAGE, &manifest).await.expect(CREATED);
        assert_eq!(put.header("docker-content-digest"), reference);
        let get = world.get(&put.location()).send().await.expect(OK);
        assert_eq!(get.header("docker-content-digest"), reference);
    }
    let other = files::sha256(b"other").to_string();
    let put = world.manifest("a", &other, OCI_IMAGE, &manifest).await;
    put.refused(400, "DIGEST_INVALID");
    let bad = "/v2/a/manifests/sha256:baddigeststring";
    world.request("PUT", bad).body(&manifest).send().await.refused(400, "DIGEST_INVALID");
    world.get(bad).send().await.refused(400, "DIGEST_INVALID");
    world.get("/v2/a/manifests/.INVALID").send().await.refused(404, "MANIFEST_UNKNOWN");
    let put = world.manifest("a", ".INVALID", OCI_IMAGE, &manifest).await;
    put.refused(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn one_push_sets_many_tags() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let manifest = image(b"{}", &[]);
    let digest = Digest::Sha512(sha2::Sha512::digest(&manifest).into());
    let tags: Vec<String> = (0..12).map(|n| format!("v{n}")).collect();
    let reference = format!("{digest}?tag={}&tag=v1", tags.join("&tag="));
    let put = world.manifest("a", &reference, OCI_IMAGE, &manifest).await.expect(CREATED);
    let echoed: Vec<_> = put.headers.get_all("oci-tag").iter().collect();
    assert_eq!(echoed, tags.iter().map(String::as_str).collect::<Vec<_>>());
    for tag in &tags {
        let get = world.get(&format!("/v2/a/manifests/{tag}")).send().await.expect(OK);
        assert_eq!(get.header("docker-content-digest"), digest.to_string());
    }
    let many: Vec<String> = (0..51).map(|n| format!("tag=w{n}")).collect();
    let many = format!("{digest}?{}", many.join("&"));
    let put = world.manifest("a", &many, OCI_IMAGE, &manifest).await;
    put.refused(414, "MANIFEST_INVALID");
    let put = world.manifest("a", &format!("{digest}?tag=.x"), OCI_IMAGE, &manifest).await;
    put.refused(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn a_manifest_whose_blob_is_missing_is_refused() {
    let world = World::new().await;
    let config = b"{}";
    world.blob("a", config).await;
    world.blob("other", b"layer").await;
    let manifest = image(config, &[b"layer"]);
    for reference in ["v1".to_owned(), files::sha256(&manifest).to_string()] {
        let put = world.manifest("a", &reference, OCI_IMAGE, &manifest).await;
        put.refused(400, "MANIFEST_BLOB_UNKNOWN");
        let get = world.get(&format!("/v2/a/manifests/{reference}")).send().await;
        get.refused(404, "MANIFEST_UNKNOWN");
    }
    assert!(world.store.state().repository(&"a".parse().unwrap()).is_none());
    let layer = world.blob("a", b"layer").await;
    std::fs::remove_file(world.registry.shared.files.blob(&layer)).unwrap();
    let put = world.manifest("a", "v1", OCI_IMAGE, &manifest).await;
    put.refused(400, "MANIFEST_BLOB_UNKNOWN");
    world.blob("a", b"layer").await;
    world.manifest("a", "v1", OCI_IMAGE, &manifest).await.expect(CREATED);
}

#[tokio::test]
async fn sizes_in_a_manifest_must_be_those_of_its_blobs() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let mut manifest: Value = serde_json::from_slice(&image(b"{}", &[])).unwrap();
    manifest["config"]["size"] = json!(3);
    let put = world.manifest("a", "v1", OCI_IMAGE, manifest.to_string().as_bytes()).await;
    put.refused(400, "MANIFEST_INVALID");
}

#[tokio::test]
async fn layers_that_are_elsewhere_are_never_required() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let by_url = json!({ "urls": ["https://example.com/x"], "mediaType": OCI_LAYER });
    let by_type =
        json!({ "mediaType": "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip" });
    let docker =
        json!({ "mediaType": "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" });
    for mut layer in [by_url, by_type, docker] {
        layer["digest"] = json!(files::sha256(b"foreign"));
        layer["size"] = json!(7);
        let manifest = json!({
            "schemaVersion": 2, "config": descriptor(OCI_CONFIG, b"{}"), "layers": [layer],
        });
        let put = world.manifest("a", "v1", OCI_IMAGE, manifest.to_string().as_bytes()).await;
        put.expect(CREATED);
    }
    let silent = json!({
        "schemaVersion": 2, "config": descriptor(OCI_CONFIG, b"{}"),
        "layers": [{ "mediaType": OCI_LAYER, "urls": [], "digest": files::sha256(b"foreign"), "size": 7 }],
    });
    let put = world.manifest("a", "v1", OCI_IMAGE, silent.to_string().as_bytes()).await;
    put.refused(400, "MANIFEST_BLOB_UNKNOWN");
}

#[tokio::test]
async fn unusual_manifests_are_taken() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let mut empty = descriptor("application/vnd.oci.empty.v1+json", b"{}");
    empty["data"] = json!("e30=");
    let index = json!({ "schemaVersion": 2, "manifests": [] }).to_string();
    let artifact = json!({
        "schemaVersion": 2, "artifactType": "application/x", "config": empty, "layers": [empty],
    });
    let large = json!({
        "schemaVersion": 2, "config": empty, "layers": [],
        "annotations": { "large": "x".repeat(3_900_000) },
    });
    let null = json!({ "schemaVersion": 2, "config": empty, "layers": null, "annotations": null });
    let nested =
        json!({ "schemaVersion": 2, "manifests": [descriptor(OCI_INDEX, index.as_bytes())] });
    for (media_type, manifest) in [
        (OCI_INDEX, index.clone()),
        (DOCKER_LIST, index),
        (OCI_IMAGE, artifact.to_string()),
        (OCI_IMAGE, large.to_string()),
        (OCI_IMAGE, null.to_string()),
        (OCI_INDEX, nested.to_string()),
    ] {
        let put = world.manifest("a", "v1", media_type, manifest.as_bytes()).await.expect(CREATED);
        let get = world.get(&put.location()).send().await.expect(OK);
        assert!(get.body == manifest.as_bytes());
    }
}

#[tokio::test]
async fn a_manifest_of_many_layers_takes_more_than_one_batch() {
    let world = World::new().await;
    let layers: Vec<Vec<u8>> = (0..205_u32).map(|n| n.to_be_bytes().to_vec()).collect();
    for layer in &layers {
        world.blob("a", layer).await;
    }
    world.blob("a", b"{}").await;
    let layers: Vec<&[u8]> = layers.iter().map(Vec::as_slice).collect();
    let manifest = image(b"{}", &layers);
    let put = world.manifest("a", "v1", OCI_IMAGE, &manifest).await.expect(CREATED);
    for layer in [0, 100, 204] {
        let uri = format!("/v2/a/blobs/{}", files::sha256(layers[layer]));
        world.request("DELETE", &uri).send().await.refused(405, "UNSUPPORTED");
    }
    world.request("DELETE", &put.location()).send().await.expect(StatusCode::ACCEPTED);
    let edges = world.store.range(b"edge/", None, 1_000).await.unwrap();
    assert_eq!(edges, [], "its edges go with it");
}

static MEGABYTE: [u8; 1 << 20] = [b' '; 1 << 20];

#[tokio::test]
async fn what_is_too_large_is_not_read_to_its_end() {
    let world = World::new().await;
    let large = vec![b' '; (4 << 20) + 1];
    world.manifest("a", "v1", OCI_IMAGE, &large).await.refused(413, "SIZE_INVALID");
    let pieces = (0..6).map(|_| Ok(&MEGABYTE[..])).collect();
    let put = world.request("PUT", "/v2/a/manifests/v1").stream(pieces);
    put.send().await.refused(413, "SIZE_INVALID");
}

#[tokio::test]
async fn a_tag_says_what_its_image_runs_on_and_listens_to() {
    let world = World::new().await;
    let manifest = world.image("a", "v1", b"layer").await;
    let state = world.store.state();
    let tag = state.tag(&"a".parse().unwrap(), &"v1".parse().unwrap()).unwrap();
    assert_eq!(tag.digest, files::sha256(&manifest));
    assert_eq!(tag.media_type, OCI_IMAGE);
    assert_eq!(tag.platforms, [Platform::new("linux", "amd64")].into());
    assert_eq!(tag.exposed_ports, [8080].into());
    let config: Value = serde_json::from_slice(&manifest).unwrap();
    let config = config["config"]["size"].as_u64().unwrap();
    assert_eq!(tag.size_bytes, manifest.len() as u64 + config + 5);
    assert_eq!(tag.pushed_by, "user/admin");
}

#[tokio::test]
async fn an_index_with_attestations_is_one_of_its_images() {
    let world = World::new().await;
    let amd64 = world.image("a", "amd64", b"layer").await;
    world.blob("a", b"{}").await;
    world.blob("a", b"statement").await;
    let statement = image(b"{}", &[b"statement"]);
    let reference = files::sha256(&statement).to_string();
    world.manifest("a", &reference, OCI_IMAGE, &statement).await.expect(CREATED);
    let mut image = descriptor(OCI_IMAGE, &amd64);
    image["platform"] = json!({ "os": "linux", "architecture": "amd64" });
    let mut attestation = descriptor(OCI_IMAGE, &statement);
    attestation["platform"] = json!({ "os": "unknown", "architecture": "unknown" });
    attestation["annotations"] = json!({ "vnd.docker.reference.type": "attestation-manifest" });
    let index =
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [image, attestation] });
    world.manifest("a", "v1", OCI_INDEX, index.to_string().as_bytes()).await.expect(CREATED);
    let state = world.store.state();
    let tag = |name: &str| state.tag(&"a".parse().unwrap(), &name.parse().unwrap()).unwrap();
    assert_eq!(tag("v1").platforms, [Platform::new("linux", "amd64")].into());
    assert_eq!(tag("v1").exposed_ports, [8080].into());
    assert!(tag("v1").size_bytes > tag("amd64").size_bytes);

    let mut absent = descriptor(OCI_IMAGE, b"absent");
    absent["size"] = json!(6);
    let index = json!({ "schemaVersion": 2, "manifests": [absent] });
    let put = world.manifest("a", "v1", OCI_INDEX, index.to_string().as_bytes()).await;
    put.refused(400, "MANIFEST_BLOB_UNKNOWN");
}

/// As `--cache-to type=registry,image-manifest=false` pushes it.
#[tokio::test]
async fn a_cache_of_buildkit_is_an_index_of_blobs() {
    let world = World::new().await;
    let (layer, config) = (b"layer".as_slice(), b"{\"layers\":[]}".as_slice());
    let cache_config = "application/vnd.buildkit.cacheconfig.v0";
    let index = json!({
        "schemaVersion": 2, "mediaType": OCI_INDEX,
        "manifests": [descriptor(OCI_LAYER, layer), descriptor(cache_config, config)],
    });
    let index = serde_json::to_vec(&index).unwrap();
    let put = || world.manifest("cache", "latest", OCI_INDEX, &index);
    world.blob("cache", layer).await;
    put().await.refused(400, "MANIFEST_BLOB_UNKNOWN");
    world.blob("cache", config).await;
    put().await.expect(StatusCode::CREATED);
    let got = world.get("/v2/cache/manifests/latest").send().await.expect(StatusCode::OK);
    assert_eq!(got.body, index);
    // What it names stays as long as it does.
    let blob = format!("/v2/cache/blobs/{}", files::sha256(layer));
    world.request("DELETE", &blob).send().await.refused(405, "UNSUPPORTED");
    world
        .request("DELETE", &format!("/v2/cache/manifests/{}", files::sha256(&index)))
        .send()
        .await
        .expect(StatusCode::ACCEPTED);
    world.request("DELETE", &blob).send().await.expect(StatusCode::ACCEPTED);
}
