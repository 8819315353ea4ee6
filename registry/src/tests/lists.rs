//! Tags and the catalogue, in byte order and by pages.

use http::StatusCode;
use serde_json::json;

use super::world::{OCI_IMAGE, World, image};

const OK: StatusCode = StatusCode::OK;

async fn tagged(world: &World, repository: &str, tags: &[&str]) {
    world.blob(repository, b"{}").await;
    for tag in tags {
        let put = world.manifest(repository, tag, OCI_IMAGE, &image(b"{}", &[])).await;
        put.expect(StatusCode::CREATED);
    }
}

#[tokio::test]
async fn tags_come_in_byte_order_and_by_pages() {
    let world = World::new().await;
    tagged(&world, "a/b", &["b", "a", "B", "_x", "1", "a.b", "a-b"]).await;
    tagged(&world, "a", &["other"]).await;
    let all = ["1", "B", "_x", "a", "a-b", "a.b", "b"];
    let reply = world.get("/v2/a/b/tags/list").send().await.expect(OK);
    assert_eq!(reply.json(), json!({ "name": "a/b", "tags": all }));
    assert!(!reply.has("link"));
    let (mut uri, mut seen) = ("/v2/a/b/tags/list?n=3".to_owned(), Vec::new());
    loop {
        let reply = world.get(&uri).send().await.expect(OK);
        let page = reply.json()["tags"].as_array().unwrap().clone();
        seen.extend(page.iter().map(|tag| tag.as_str().unwrap().to_owned()));
        if !reply.has("link") {
            break;
        }
        assert_eq!(page.len(), 3);
        let expect = format!("</v2/a/b/tags/list?n=3&last={}>; rel=\"next\"", seen.last().unwrap());
        assert_eq!(reply.header("link"), expect);
        uri = format!("/v2/a/b/tags/list?n=3&last={}", seen.last().unwrap());
    }
    assert_eq!(seen, all);
}

#[tokio::test]
async fn a_page_may_begin_behind_a_tag_that_is_gone_and_may_be_empty() {
    let world = World::new().await;
    tagged(&world, "a", &["a", "b", "c"]).await;
    let tags = async |query: &str| {
        let reply = world.get(&format!("/v2/a/tags/list?{query}")).send().await.expect(OK);
        (reply.json()["tags"].clone(), reply.has("link"))
    };
    assert_eq!(tags("last=aa").await, (json!(["b", "c"]), false));
    assert_eq!(tags("last=a&n=1").await, (json!(["b"]), true));
    assert_eq!(tags("n=0").await, (json!([]), false));
    assert_eq!(tags("last=z").await, (json!([]), false));
    assert_eq!(tags("n=3").await, (json!(["a", "b", "c"]), false));
    assert_eq!(tags("n=9223372036854775808").await, (json!(["a", "b", "c"]), false));
    for tag in ["a", "b", "c"] {
        let uri = format!("/v2/a/manifests/{tag}");
        world.request("DELETE", &uri).send().await.expect(StatusCode::ACCEPTED);
    }
    assert_eq!(tags("").await, (json!([]), false));
    world.get("/v2/a/tags/list?n=-1").send().await.refused(400, "UNSUPPORTED");
    world.get("/v2/never/tags/list").send().await.refused(404, "NAME_UNKNOWN");
}

#[tokio::test]
async fn the_catalogue_lists_repositories_by_pages() {
    let world = World::new().await;
    let reply = world.get("/v2/_catalog").send().await.expect(OK);
    assert_eq!(reply.json(), json!({ "repositories": [] }));
    for repository in ["b", "a/x", "a"] {
        tagged(&world, repository, &["v1"]).await;
    }
    let reply = world.get("/v2/_catalog?n=2").send().await.expect(OK);
    assert_eq!(reply.json(), json!({ "repositories": ["a", "a/x"] }));
    assert_eq!(reply.header("link"), "</v2/_catalog?n=2&last=a/x>; rel=\"next\"");
    let reply = world.get("/v2/_catalog?n=2&last=a/x").send().await.expect(OK);
    assert_eq!((reply.json(), reply.has("link")), (json!({ "repositories": ["b"] }), false));
    let token = world.access_token(&["registry:catalog:*"]).await;
    let scoped = world.stranger("GET", "/v2/_catalog?n=1").bearer(&token);
    assert_eq!(scoped.send().await.expect(OK).json(), json!({ "repositories": ["a"] }));
}
