//! Mounts, and what they must not tell.

use http::StatusCode;

use super::world::World;

const ACCEPTED: StatusCode = StatusCode::ACCEPTED;

#[tokio::test]
async fn a_mount_shows_a_blob_of_a_repository_that_the_caller_may_read() {
    let world = World::new().await;
    let digest = world.blob("a", b"shared").await;
    for query in [
        format!("mount={digest}&from=a"),
        format!("mount={digest}&from=a&origin=x"),
        format!("mount={digest}"),
    ] {
        let uri = format!("/v2/b{}/blobs/uploads/?{query}", query.len());
        let reply = world.request("POST", &uri).send().await.expect(StatusCode::CREATED);
        assert_eq!(reply.header("docker-content-digest"), digest.to_string());
        let blob = world.get(&reply.location()).send().await.expect(StatusCode::OK);
        assert_eq!(&blob.body[..], b"shared");
    }
}

#[tokio::test]
async fn a_mount_that_cannot_be_becomes_an_upload() {
    let world = World::new().await;
    let digest = world.blob("a", b"shared").await;
    let other = crate::files::sha256(b"other");
    for query in [
        format!("mount={other}&from=a"),
        format!("mount={digest}&from=never"),
        format!("mount={digest}&from=Not%20A%20Name"),
        format!("mount={other}"),
        "mount=sha256:0&from=a".to_owned(),
    ] {
        let uri = format!("/v2/b/blobs/uploads/?{query}");
        let reply = world.request("POST", &uri).send().await.expect(ACCEPTED);
        assert!(reply.location().starts_with("/v2/b/blobs/uploads/"), "{query}");
    }
    world.get(&format!("/v2/b/blobs/{digest}")).send().await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_mount_asks_for_a_token_that_reads_its_source_and_mounts_nothing_without_one() {
    let world = World::new().await;
    let digest = world.blob("a", b"shared").await;
    let uri = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    let scopes = r#"scope="repository:b:pull,push repository:a:pull""#;
    let token = world.access_token(&["repository:b:pull,push"]).await;
    let challenged = world.stranger("POST", &uri).send().await.refused(401, "UNAUTHORIZED");
    let header = challenged.header("www-authenticate");
    assert!(header.contains(scopes), "{header}");
    let anywhere = format!("/v2/b/blobs/uploads/?mount={digest}");
    for uri in [&uri, &anywhere] {
        world.stranger("POST", uri).bearer(&token).send().await.expect(ACCEPTED);
    }
    let token = world.access_token(&["repository:b:pull,push", "repository:a:pull"]).await;
    world.stranger("POST", &uri).bearer(&token).send().await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_blob_whose_file_is_gone_cannot_be_mounted() {
    let world = World::new().await;
    let digest = world.blob("a", b"shared").await;
    std::fs::remove_file(world.registry.shared.files.blob(&digest)).unwrap();
    let uri = format!("/v2/b/blobs/uploads/?mount={digest}&from=a");
    world.request("POST", &uri).send().await.expect(ACCEPTED);
}
