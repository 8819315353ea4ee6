//! Deletes: what goes, what stays, and what is refused because somebody needs it.

use http::StatusCode;
use serde_json::json;

use super::world::{OCI_IMAGE, OCI_INDEX, World, descriptor, image};
use crate::files;

const OK: StatusCode = StatusCode::OK;
const ACCEPTED: StatusCode = StatusCode::ACCEPTED;

#[tokio::test]
async fn a_deleted_tag_leaves_its_manifest() {
    let world = World::new().await;
    let digest = files::sha256(&world.image("a", "v1", b"layer").await);
    world.request("DELETE", "/v2/a/manifests/v1").send().await.expect(ACCEPTED);
    for method in ["HEAD", "GET"] {
        let gone = world.request(method, "/v2/a/manifests/v1").send().await;
        gone.expect(StatusCode::NOT_FOUND);
    }
    world.get(&format!("/v2/a/manifests/{digest}")).send().await.expect(OK);
    let again = world.request("DELETE", "/v2/a/manifests/v1").send().await;
    again.refused(404, "MANIFEST_UNKNOWN");
    let never = world.request("DELETE", "/v2/never/manifests/v1").send().await;
    never.refused(404, "MANIFEST_UNKNOWN");
}

#[tokio::test]
async fn a_deleted_manifest_takes_its_tags_along() {
    let world = World::new().await;
    let manifest = world.image("a", "v1", b"layer").await;
    for tag in 0..90 {
        let put = world.manifest("a", &format!("t{tag}"), OCI_IMAGE, &manifest).await;
        put.expect(StatusCode::CREATED);
    }
    world.image("a", "other", b"other").await;
    let uri = format!("/v2/a/manifests/{}", files::sha256(&manifest));
    world.request("DELETE", &uri).send().await.expect(ACCEPTED);
    for uri in [&uri, "/v2/a/manifests/v1", "/v2/a/manifests/t89"] {
        world.request("HEAD", uri).send().await.expect(StatusCode::NOT_FOUND);
    }
    let tags = world.get("/v2/a/tags/list").send().await.json();
    assert_eq!(tags["tags"], json!(["other"]));
    world.request("DELETE", &uri).send().await.refused(404, "MANIFEST_UNKNOWN");
    world.manifest("a", "v1", OCI_IMAGE, &manifest).await.expect(StatusCode::CREATED);
    world.get(&uri).send().await.expect(OK);
}

#[tokio::test]
async fn what_a_manifest_needs_goes_after_it_and_not_before() {
    let world = World::new().await;
    let child = world.image("a", "v1", b"layer").await;
    let index = json!({ "schemaVersion": 2, "manifests": [descriptor(OCI_IMAGE, &child)] });
    let index = index.to_string();
    world.manifest("a", "all", OCI_INDEX, index.as_bytes()).await.expect(StatusCode::CREATED);
    let layer = format!("/v2/a/blobs/{}", files::sha256(b"layer"));
    let child = format!("/v2/a/manifests/{}", files::sha256(&child));
    let parent = format!("/v2/a/manifests/{}", files::sha256(index.as_bytes()));
    for needed in [&layer, &child] {
        world.request("DELETE", needed).send().await.refused(405, "UNSUPPORTED");
        world.get(needed).send().await.expect(OK);
    }
    for uri in ["/v2/a/manifests/all", "/v2/a/manifests/v1", &parent, &child, &layer] {
        world.request("DELETE", uri).send().await.expect(ACCEPTED);
        world.request("HEAD", uri).send().await.expect(StatusCode::NOT_FOUND);
        let again = world.request("DELETE", uri).send().await;
        again.expect(StatusCode::NOT_FOUND);
    }
}

#[tokio::test]
async fn a_deleted_blob_is_gone_from_its_repository_only() {
    let world = World::new().await;
    let digest = world.blob("a", b"shared").await;
    world.blob("b", b"shared").await;
    let uri = format!("/v2/a/blobs/{digest}");
    world.request("DELETE", &uri).send().await.expect(ACCEPTED);
    world.get(&uri).send().await.refused(404, "BLOB_UNKNOWN");
    world.request("DELETE", &uri).send().await.refused(404, "BLOB_UNKNOWN");
    world.get(&format!("/v2/b/blobs/{digest}")).send().await.expect(OK);
    let mount = format!("/v2/c/blobs/uploads/?mount={digest}&from=a");
    world.request("POST", &mount).send().await.expect(ACCEPTED);
    world.blob("a", b"shared").await;
    world.get(&uri).send().await.expect(OK);
}

#[tokio::test]
async fn a_push_and_a_delete_at_once_never_leave_a_manifest_without_its_blob() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let manifest = image(b"{}", &[b"layer"]);
    let reference = files::sha256(&manifest);
    let layer = format!("/v2/a/blobs/{}", files::sha256(b"layer"));
    for round in 0..20 {
        world.blob("a", b"layer").await;
        let push = async {
            if round % 2 == 0 {
                tokio::task::yield_now().await;
            }
            world.manifest("a", &reference.to_string(), OCI_IMAGE, &manifest).await.status
        };
        let delete = async { world.request("DELETE", &layer).send().await.status };
        let (pushed, deleted) = tokio::join!(push, delete);
        assert_ne!(pushed == StatusCode::CREATED, deleted == ACCEPTED, "{pushed} {deleted}");
        world.check_rows().await;
        let uri = format!("/v2/a/manifests/{reference}");
        world.request("DELETE", &uri).send().await;
    }
}
