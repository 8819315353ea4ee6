//! Referrers, with and without their subject.

use http::StatusCode;
use serde_json::{Value, json};

use super::world::{OCI_CONFIG, OCI_IMAGE, OCI_INDEX, World, descriptor};
use crate::files;

const OK: StatusCode = StatusCode::OK;

fn referrer(subject: &Value, number: usize, artifact_type: Option<&str>) -> String {
    let mut manifest = json!({
        "schemaVersion": 2, "mediaType": OCI_IMAGE, "config": descriptor(OCI_CONFIG, b"{}"),
        "layers": [], "subject": subject, "annotations": { "number": number.to_string() },
    });
    if let Some(artifact_type) = artifact_type {
        manifest["artifactType"] = json!(artifact_type);
    }
    manifest.to_string()
}

async fn list(world: &World, uri: &str) -> (Vec<Value>, Option<String>) {
    let reply = world.get(uri).send().await.expect(OK);
    assert_eq!(reply.header("content-type"), OCI_INDEX);
    let body = reply.json();
    assert_eq!((&body["schemaVersion"], &body["mediaType"]), (&json!(2), &json!(OCI_INDEX)));
    let next = reply.has("link").then(|| reply.header("link"));
    let next =
        next.map(|link| link.strip_prefix('<').unwrap().split_once('>').unwrap().0.to_owned());
    (body["manifests"].as_array().unwrap().clone(), next)
}

#[tokio::test]
async fn a_subject_that_nobody_refers_to_has_an_empty_list() {
    let world = World::new().await;
    let uri = format!("/v2/never/pushed/referrers/{}", files::sha256(b"x"));
    assert_eq!(list(&world, &uri).await, (vec![], None));
    world.get("/v2/a/referrers/sha256:0").send().await.refused(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn a_manifest_refers_to_a_subject_that_may_come_later_or_never() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let subject = descriptor(OCI_IMAGE, b"not there");
    let index =
        json!({ "schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [], "subject": subject });
    let (own, config) = (referrer(&subject, 0, Some("application/x")), referrer(&subject, 1, None));
    let index = index.to_string();
    for (media_type, manifest) in [(OCI_IMAGE, &own), (OCI_IMAGE, &config), (OCI_INDEX, &index)] {
        let reference = files::sha256(manifest.as_bytes()).to_string();
        let put = world.manifest("a", &reference, media_type, manifest.as_bytes()).await;
        let put = put.expect(StatusCode::CREATED);
        assert_eq!(json!(put.header("oci-subject")), subject["digest"]);
    }
    let uri = format!("/v2/a/referrers/{}", files::sha256(b"not there"));
    let (mut all, _) = list(&world, &uri).await;
    all.sort_by_key(|one| one["annotations"]["number"].as_str().unwrap_or("9").to_owned());
    let mut expect = descriptor(OCI_IMAGE, own.as_bytes());
    expect["artifactType"] = json!("application/x");
    expect["annotations"] = json!({ "number": "0" });
    assert_eq!(all[0], expect);
    assert_eq!(all[1]["artifactType"], OCI_CONFIG);
    assert_eq!(all[2], descriptor(OCI_INDEX, index.as_bytes()), "an index has no type of its own");

    let filtered = world.get(&format!("{uri}?artifactType=application%2Fx")).send().await;
    assert_eq!(filtered.header("oci-filters-applied"), "artifactType");
    assert_eq!(filtered.json()["manifests"], json!([all[0]]));
    let (none, _) = list(&world, &format!("{uri}?artifactType=application/y")).await;
    assert_eq!(none, [] as [Value; 0]);

    let delete = format!("/v2/a/manifests/{}", files::sha256(own.as_bytes()));
    world.request("DELETE", &delete).send().await.expect(StatusCode::ACCEPTED);
    assert_eq!(list(&world, &uri).await.0.len(), 2);
}

#[tokio::test]
async fn a_long_list_comes_in_pages() {
    let world = World::new().await;
    world.blob("a", b"{}").await;
    let subject = descriptor(OCI_IMAGE, b"subject");
    let mut pushed = std::collections::BTreeSet::new();
    for number in 0..7 {
        let kind = if number % 2 == 0 { "application/even" } else { "application/o&dd" };
        let manifest = referrer(&subject, number, Some(kind));
        let digest = files::sha256(manifest.as_bytes()).to_string();
        let put = world.manifest("a", &digest, OCI_IMAGE, manifest.as_bytes()).await;
        put.expect(StatusCode::CREATED);
        pushed.insert(digest);
    }
    let base = format!("/v2/a/referrers/{}", files::sha256(b"subject"));
    for (query, expected) in [("n=3", 7), ("n=2&artifactType=application/o%26dd", 3), ("n=9", 7)] {
        let mut next = Some(format!("{base}?{query}"));
        let mut seen = std::collections::BTreeSet::new();
        while let Some(uri) = next {
            let (page, following) = list(&world, &uri).await;
            assert!(!page.is_empty() && page.len() <= 3 || query == "n=9");
            for one in page {
                assert!(seen.insert(one["digest"].as_str().unwrap().to_owned()), "twice");
            }
            next = following;
        }
        assert!(seen.len() == expected && seen.is_subset(&pushed), "{query}: {seen:?}");
    }
    assert_eq!(list(&world, &format!("{base}?n=0")).await, (vec![], None));
}
