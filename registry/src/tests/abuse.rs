//! What nobody sends by accident.

use http::StatusCode;
use oci_spec::distribution::ErrorCode;
use serde_json::json;

use super::world::{OCI_CONFIG, OCI_IMAGE, OCI_INDEX, World, descriptor};
use crate::error_kind::{AnyCode, ServerErrorCode};

#[test]
fn the_codes_are_those_of_the_spec_and_two_more() {
    let spec = [
        ErrorCode::BlobUnknown,
        ErrorCode::BlobUploadInvalid,
        ErrorCode::BlobUploadUnknown,
        ErrorCode::DigestInvalid,
        ErrorCode::ManifestBlobUnknown,
        ErrorCode::ManifestInvalid,
        ErrorCode::ManifestUnknown,
        ErrorCode::NameInvalid,
        ErrorCode::NameUnknown,
        ErrorCode::SizeInvalid,
        ErrorCode::Unauthorized,
        ErrorCode::Denied,
        ErrorCode::Unsupported,
        ErrorCode::TooManyRequests,
    ]
    .map(AnyCode::Spec);
    let own = [ServerErrorCode::Unknown, ServerErrorCode::Unavailable].map(AnyCode::Server);
    let written = |code: &AnyCode| serde_json::to_value(code).unwrap().as_str().unwrap().to_owned();
    let codes: Vec<String> = spec.iter().chain(&own).map(written).collect();
    insta::assert_snapshot!(codes.join("\n"), @r"
    BLOB_UNKNOWN
    BLOB_UPLOAD_INVALID
    BLOB_UPLOAD_UNKNOWN
    DIGEST_INVALID
    MANIFEST_BLOB_UNKNOWN
    MANIFEST_INVALID
    MANIFEST_UNKNOWN
    NAME_INVALID
    NAME_UNKNOWN
    SIZE_INVALID
    UNAUTHORIZED
    DENIED
    UNSUPPORTED
    TOOMANYREQUESTS
    UNKNOWN
    UNAVAILABLE
    ");
}

#[tokio::test]
async fn every_error_has_the_one_form() {
    let world = World::new().await;
    let reply = world.get("/v2/a/manifests/v1").send().await.refused(404, "MANIFEST_UNKNOWN");
    assert_eq!(reply.header("content-type"), "application/json");
    insta::assert_snapshot!(String::from_utf8_lossy(&reply.body), @r#"{"errors":[{"code":"MANIFEST_UNKNOWN","message":"the repository holds no manifest `v1`"}]}"#);
}

#[tokio::test]
async fn names_digests_and_paths_outside_their_grammar_are_refused() {
    let world = World::new().await;
    let long = format!("/v2/{}/manifests/x", "a/".repeat(150));
    for (uri, status, code) in [
        ("/v2/..%2f..%2fetc/manifests/passwd", 400, "NAME_INVALID"),
        ("/v2/a%2fb/manifests/x", 400, "NAME_INVALID"),
        ("/v2/A/manifests/x", 400, "NAME_INVALID"),
        ("/v2/a%00b/manifests/x", 400, "NAME_INVALID"),
        ("/v2//manifests/x", 400, "NAME_INVALID"),
        ("/v2/a//b/manifests/x", 400, "NAME_INVALID"),
        ("/v2/%C3%BC/manifests/x", 400, "NAME_INVALID"),
        (long.as_str(), 400, "NAME_INVALID"),
        ("/v2/a/blobs/..%2f..%2fx", 400, "DIGEST_INVALID"),
        ("/v2/a/blobs/md5:d41d8cd98f00b204e9800998ecf8427e", 400, "DIGEST_INVALID"),
        (
            "/v2/a/blobs/SHA256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a",
            400,
            "DIGEST_INVALID",
        ),
        (
            "/v2/a/blobs/sha256:44136FA355B3678A1146AD16F7E8649E94FB4FC21FE77E8310C060F61CAAFF8A",
            400,
            "DIGEST_INVALID",
        ),
        ("/v2/a/blobs/uploads/..%2f..%2fx", 404, "BLOB_UPLOAD_UNKNOWN"),
        // As every tag that cannot be.
        ("/v2/a/manifests/..%2fx", 404, "MANIFEST_UNKNOWN"),
        ("/v2/a/manifests/sha256%3A..%2fx", 400, "DIGEST_INVALID"),
        ("/v2/_oci/ext/discover", 404, "UNSUPPORTED"),
        ("/v2/a/_oci/ext/discover", 404, "UNSUPPORTED"),
        ("/v2/a", 404, "UNSUPPORTED"),
    ] {
        world.get(uri).send().await.refused(status, code);
    }
}

#[tokio::test]
async fn methods_that_a_path_does_not_take_are_unsupported() {
    let world = World::new().await;
    let digest = world.blob("a", b"x").await;
    for (method, uri, allow) in [
        ("PUT", "/v2/", "GET, HEAD"),
        ("POST", "/v2/_catalog", "GET, HEAD"),
        ("DELETE", "/v2/a/tags/list", "GET, HEAD"),
        ("PUT", &format!("/v2/a/blobs/{digest}"), "GET, HEAD, DELETE"),
        ("GET", "/v2/a/blobs/uploads/", "POST"),
        ("POST", "/v2/a/manifests/v1", "GET, HEAD, PUT, DELETE"),
        ("PATCH", &format!("/v2/a/referrers/{digest}"), "GET, HEAD"),
        ("OPTIONS", "/v2/", "GET, HEAD"),
    ] {
        let reply = world.request(method, uri).send().await.refused(405, "UNSUPPORTED");
        assert_eq!(reply.header("allow"), allow);
    }
}

#[tokio::test]
async fn manifests_that_try_something_are_refused() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let config = descriptor(OCI_CONFIG, b"{}");
    let deep = format!(
        "{{\"schemaVersion\":2,\"manifests\":[],\"x\":{}{}}}",
        "[".repeat(10_000),
        "]".repeat(10_000)
    );
    let many =
        json!({ "schemaVersion": 2, "config": config, "layers": vec![config.clone(); 100_000] });
    let both = json!({ "schemaVersion": 2, "config": config, "layers": [], "manifests": [] });
    let twice =
        format!("{{\"schemaVersion\":2,\"config\":{config},\"config\":{config},\"layers\":[]}}");
    let (both, many) = (both.to_string(), many.to_string());
    for (media_type, manifest) in [
        (OCI_INDEX, deep.as_str()),
        (OCI_IMAGE, &both),
        (OCI_INDEX, &both),
        (OCI_IMAGE, &twice),
        (OCI_IMAGE, "null"),
        (OCI_IMAGE, "\"text\""),
        (OCI_IMAGE, "{"),
        (OCI_IMAGE, ""),
        ("application/vnd.docker.distribution.manifest.v1+json", "{\"schemaVersion\":1}"),
        ("text/html", "<script>"),
    ] {
        let put = world.manifest("a", "v1", media_type, manifest.as_bytes()).await;
        put.refused(400, "MANIFEST_INVALID");
    }
    let put = world.manifest("a", "v1", OCI_IMAGE, many.as_bytes()).await;
    assert!(matches!(put.status, StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE));
    world.get("/v2/a/manifests/v1").send().await.refused(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_blob_that_is_said_to_be_huge_is_refused_before_it_comes() {
    let world = World::new().await;
    let location = world.upload("a").await;
    let huge = world.request("PATCH", &location).header("content-length", "99999999999999");
    huge.send().await.refused(413, "SIZE_INVALID");
    let huge = world.request("PATCH", &location).header("content-range", "0-18446744073709551614");
    huge.send().await.refused(413, "SIZE_INVALID");
}
