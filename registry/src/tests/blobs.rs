//! Reading blobs.

use http::StatusCode;

use super::world::World;

const OK: StatusCode = StatusCode::OK;

#[tokio::test]
async fn a_blob_reads_back_with_its_digest_length_and_bytes() {
    let world = World::new().await;
    let digest = world.blob("team/hello", b"hello").await;
    let uri = format!("/v2/team/hello/blobs/{digest}");
    let reply = world.get(&uri).send().await.expect(OK);
    assert_eq!(&reply.body[..], b"hello");
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    assert_eq!(reply.header("content-length"), "5");
    assert_eq!(reply.header("content-type"), "application/octet-stream");
    assert_eq!(reply.header("x-content-type-options"), "nosniff");
    assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
    let reply = world.request("HEAD", &uri).header("range", "bytes=0-1").send().await.expect(OK);
    assert_eq!((reply.header("content-length").as_str(), reply.body.len()), ("5", 0));
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
}

#[tokio::test]
async fn a_blob_of_nothing_is_a_blob() {
    let world = World::new().await;
    let digest = world.blob("a", b"").await;
    assert!(digest.to_string().starts_with("sha256:e3b0c442"));
    let reply = world.get(&format!("/v2/a/blobs/{digest}")).send().await.expect(OK);
    assert_eq!((reply.header("content-length").as_str(), reply.body.len()), ("0", 0));
}

#[tokio::test]
async fn a_large_blob_comes_in_pieces_and_whole() {
    let world = World::new().await;
    let bytes: Vec<u8> = (0..3_000_001_u32).map(|n| n.to_le_bytes()[(n % 4) as usize]).collect();
    let digest = world.blob("a", &bytes).await;
    let uri = format!("/v2/a/blobs/{digest}");
    assert!(world.get(&uri).send().await.expect(OK).body == bytes);
    let asked = world.get(&uri).header("range", "bytes=262143-600000");
    let reply = asked.send().await.expect(StatusCode::PARTIAL_CONTENT);
    assert!(reply.body == bytes[262_143..=600_000]);
}

#[tokio::test]
async fn a_range_is_answered_as_http_has_it() {
    let world = World::new().await;
    let digest = world.blob("a", b"0123456789").await;
    let uri = format!("/v2/a/blobs/{digest}");
    for (range, status, bytes, content_range) in [
        ("bytes=2-4", 206, "234", "bytes 2-4/10"),
        ("bytes=7-", 206, "789", "bytes 7-9/10"),
        ("bytes=-3", 206, "789", "bytes 7-9/10"),
        ("bytes=8-100", 206, "89", "bytes 8-9/10"),
        ("bytes=0-0,2-2", 200, "0123456789", ""),
        ("lines=1-2", 200, "0123456789", ""),
    ] {
        let reply = world.get(&uri).header("range", range).send().await;
        assert_eq!((reply.status.as_u16(), &reply.body[..]), (status, bytes.as_bytes()), "{range}");
        assert_eq!(reply.header("content-length"), bytes.len().to_string(), "{range}");
        let given = reply.has("content-range").then(|| reply.header("content-range"));
        assert_eq!(given.unwrap_or_default(), content_range, "{range}");
    }
    for range in ["bytes=10-", "bytes=500-0", "bytes=-0"] {
        let reply = world.get(&uri).header("range", range).send().await;
        assert_eq!(reply.refused(416, "SIZE_INVALID").header("content-range"), "bytes */10");
    }
}

#[tokio::test]
async fn a_client_that_has_the_blob_is_told_so() {
    let world = World::new().await;
    let digest = world.blob("a", b"hello").await;
    let uri = format!("/v2/a/blobs/{digest}");
    let etag = world.get(&uri).send().await.header("etag");
    let same = world.get(&uri).header("if-none-match", &etag).send().await;
    assert_eq!(same.expect(StatusCode::NOT_MODIFIED).body.len(), 0);
    let ranged = |tag: &str| world.get(&uri).header("range", "bytes=0-0").header("if-range", tag);
    ranged(&etag).send().await.expect(StatusCode::PARTIAL_CONTENT);
    ranged("\"other\"").send().await.expect(OK);
}

#[tokio::test]
async fn only_the_repository_that_was_pushed_to_shows_a_blob() {
    let world = World::new().await;
    let digest = world.blob("a", b"secret").await;
    for method in ["GET", "HEAD"] {
        let uri = format!("/v2/b/blobs/{digest}");
        world.request(method, &uri).send().await.expect(StatusCode::NOT_FOUND);
    }
    let uri = format!("/v2/b/blobs/{digest}");
    world.get(&uri).send().await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_manifest_is_no_blob_and_a_blob_no_manifest() {
    let world = World::new().await;
    let manifest = crate::files::sha256(&world.image("a", "v1", b"layer").await);
    let layer = crate::files::sha256(b"layer");
    world.get(&format!("/v2/a/blobs/{manifest}")).send().await.refused(404, "BLOB_UNKNOWN");
    world.get(&format!("/v2/a/manifests/{layer}")).send().await.refused(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_blob_whose_file_is_damaged_is_absent_until_it_is_pushed_again() {
    let world = World::new().await;
    let digest = world.blob("a", b"hello").await;
    let uri = format!("/v2/a/blobs/{digest}");
    let path = world.registry.shared.files.blob(&digest);
    for damage in ["cut", "gone"] {
        match damage {
            "cut" => drop(std::fs::File::create(&path).unwrap()),
            _ => std::fs::remove_file(&path).unwrap(),
        }
        world.request("HEAD", &uri).send().await.expect(StatusCode::NOT_FOUND);
        world.blob("a", b"hello").await;
        assert_eq!(&world.get(&uri).send().await.expect(OK).body[..], b"hello", "{damage}");
    }
}
