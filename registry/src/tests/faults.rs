//! A disk and a store that fail at every step: what was acknowledged stays, what was not is not there, and afterwards the
//! same push works.

use std::io::{self, Read as _, Seek as _, Write as _};

use http::StatusCode;
use model::Digest;
use tokio_util::sync::CancellationToken;

use super::world::{OCI_IMAGE, World, image};
use crate::files;
use crate::files::step::Step;
use crate::rows::{self, BlobRow};

const STEPS: [Step; 5] =
    [Step::Create, Step::Write, Step::SyncFile, Step::Rename, Step::SyncDirectory];

impl World {
    /// What must hold whatever happened: rows name only files that are there and hash to their name, repositories show only
    /// live blobs, and manifests name only what is shown.
    pub(super) async fn check_rows(&self) {
        let all = |prefix: &'static [u8]| self.store.range(prefix, None, 10_000);
        for (key, value) in all(b"blob/").await.unwrap() {
            let text = String::from_utf8(key).unwrap();
            let digest = text.strip_prefix("blob/").unwrap().parse().unwrap();
            let bytes = std::fs::read(self.registry.shared.files.blob(&digest)).expect(&text);
            assert_eq!(files::digest_like(&digest, &bytes), digest);
            let row: BlobRow = serde_json::from_slice(&value).unwrap();
            assert_eq!(row.size_bytes, bytes.len() as u64);
        }
        for (key, _) in all(b"link/").await.unwrap() {
            let live = rows::blob(&rows::tail(&key).parse().unwrap());
            assert!(self.store.get(&live).await.unwrap().is_some());
        }
        for (key, _) in all(b"manifest/").await.unwrap() {
            let text = String::from_utf8(key).unwrap();
            let (repository, digest) =
                text.strip_prefix("manifest/").unwrap().split_once('@').unwrap();
            let repository = repository.parse().unwrap();
            let bytes =
                std::fs::read(self.registry.shared.files.blob(&digest.parse().unwrap())).unwrap();
            let manifest: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
            for named in
                manifest["layers"].as_array().into_iter().flatten().chain([&manifest["config"]])
            {
                let named = named["digest"].as_str().unwrap().parse().unwrap();
                let link = rows::link(&repository, &named);
                assert!(self.store.get(&link).await.unwrap().is_some(), "{text} needs {named}");
            }
        }
    }
}

#[tokio::test]
async fn a_disk_that_fails_at_any_step_of_a_blob_leaves_nothing_and_the_next_push_works() {
    for step in STEPS {
        let mut world = World::new().await;
        world.faults().fail(step, io::ErrorKind::Other);
        let digest = files::sha256(b"hello");
        let uri = format!("/v2/a/blobs/uploads/?digest={digest}");
        let push = || world.request("POST", &uri).body(b"hello").send();
        push().await.refused(500, "UNKNOWN");
        let blob = format!("/v2/a/blobs/{digest}");
        world.get(&blob).send().await.refused(404, "BLOB_UNKNOWN");
        assert_eq!(world.uploads_on_disk(), 0, "{step:?}");
        world.check_rows().await;
        world.faults().heal();
        push().await.expect(StatusCode::CREATED);
        world.check_rows().await;
        world.restart();
        world.get(&blob).send().await.expect(StatusCode::OK);
    }
}

#[tokio::test]
async fn a_failed_sync_ends_the_upload_and_is_not_tried_again() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"hello").send().await.expect(StatusCode::ACCEPTED);
    world.faults().fail(Step::SyncFile, io::ErrorKind::Other);
    let put = format!("{location}?digest={}", files::sha256(b"hello"));
    world.request("PUT", &put).send().await.refused(500, "UNKNOWN");
    world.faults().heal();
    world.request("PUT", &put).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
}

#[tokio::test]
async fn a_failed_write_leaves_the_upload_where_it_was_acknowledged_and_takes_no_room() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(StatusCode::ACCEPTED);
    world.faults().fail(Step::Write, io::ErrorKind::Other);
    let failed = world.request("PATCH", &location).body(b"def").send().await;
    failed.refused(500, "UNKNOWN");
    world.faults().heal();
    assert_eq!(world.get(&location).send().await.header("range"), "0-2");
    let put = format!("{location}?digest={}", files::sha256(b"abcdef"));
    world.request("PUT", &put).body(b"def").send().await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn an_upload_that_the_disk_has_no_room_for_ends_and_gives_its_room_back() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(StatusCode::ACCEPTED);
    world.faults().fail(Step::Write, io::ErrorKind::StorageFull);
    let full = world.request("PATCH", &location).body(b"def").send().await;
    full.refused(507, "UNAVAILABLE");
    assert_eq!(world.uploads_on_disk(), 0);
    world.get(&location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    world.faults().heal();
    world.blob("a", b"abcdef").await;
}

#[tokio::test]
async fn under_the_low_water_mark_pushes_are_refused_and_all_else_goes_on() {
    let world = World::new().await;
    let manifest = world.image("a", "v1", b"layer").await;
    let location = world.upload("a").await;
    let halfway = world.upload("a").await;
    world.request("PATCH", &halfway).body(b"abc").send().await.expect(StatusCode::ACCEPTED);
    world.faults().leave(1_002, 1_000);
    // One that says that it does not fit is refused before it comes; one that does not say it, where it ends to fit.
    let patch = || world.request("PATCH", &location);
    patch().header("content-range", "0-2").body(b"abc").send().await.refused(507, "UNAVAILABLE");
    let location = world.upload("a").await;
    let stream = vec![Ok(&b"ab"[..]), Ok(&b"c"[..])];
    let stream = world.request("PATCH", &location).stream(stream);
    stream.send().await.refused(507, "UNAVAILABLE");

    world.faults().leave(999, 1_000);
    let start = world.request("POST", "/v2/a/blobs/uploads/").send().await;
    start.refused(507, "UNAVAILABLE");
    world.get("/v2/a/manifests/v1").send().await.expect(StatusCode::OK);
    let layer = format!("/v2/a/blobs/{}", files::sha256(b"layer"));
    assert_eq!(&world.get(&layer).send().await.expect(StatusCode::OK).body[..], b"layer");
    world.manifest("a", "v2", OCI_IMAGE, &manifest).await.expect(StatusCode::CREATED);
    let mount = format!("/v2/b/blobs/uploads/?mount={}&from=a", files::sha256(b"layer"));
    world.request("POST", &mount).send().await.expect(StatusCode::CREATED);
    world.request("DELETE", "/v2/a/manifests/v2").send().await.expect(StatusCode::ACCEPTED);

    // What lies there half done goes soon.
    world.registry.end_idle_uploads().await;
    assert_eq!(world.uploads_on_disk(), 1, "its client may be about to go on");
    world.pass(10);
    world.registry.end_idle_uploads().await;
    assert_eq!(world.uploads_on_disk(), 0);
    world.faults().heal();
    world.blob("a", b"abc").await;
}

impl World {
    /// Turns one bit of a blob's file, as a disk may.
    fn rot(&self, digest: &Digest) {
        let path = self.registry.shared.files.blob(digest);
        let mut file = std::fs::OpenOptions::new().read(true).write(true).open(path).unwrap();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).unwrap();
        let at = bytes.len() / 2;
        file.seek(io::SeekFrom::Start(at as u64)).unwrap();
        file.write_all(&[bytes[at] ^ 1]).unwrap();
    }

    fn in_quarantine(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("registry/quarantine")).unwrap().count()
    }
}

#[tokio::test]
async fn a_blob_whose_bytes_have_changed_reaches_nobody_whole_and_a_push_heals_it() {
    let world = World::new().await;
    for size in [1, 256 << 10, 1 << 20] {
        let bytes = vec![7; size];
        let digest = world.blob("a", &bytes).await;
        let blob = format!("/v2/a/blobs/{digest}");
        world.rot(&digest);
        let (damaged, is_whole) = world.get(&blob).send_until_cut().await;
        let is_refused = damaged.status == StatusCode::NOT_FOUND;
        assert!(is_refused || (!is_whole && damaged.body.len() < size), "{size}");
        world.request("HEAD", &blob).send().await.expect(StatusCode::NOT_FOUND);
        world.blob("a", &bytes).await;
        let healed = world.get(&blob).send().await.expect(StatusCode::OK);
        assert!(healed.body == bytes);
    }
    assert_eq!(world.in_quarantine(), 3);
}

#[tokio::test]
async fn a_push_replaces_what_has_changed_on_disk_also_if_nobody_has_noticed() {
    let world = World::new().await;
    let digest = world.blob("a", b"layer").await;
    world.rot(&digest);
    world.blob("b", b"layer").await;
    for repository in ["a", "b"] {
        let blob = format!("/v2/{repository}/blobs/{digest}");
        assert_eq!(&world.get(&blob).send().await.expect(StatusCode::OK).body[..], b"layer");
    }
}

#[tokio::test]
async fn a_manifest_whose_bytes_have_changed_is_not_served() {
    let world = World::new().await;
    let manifest = world.image("a", "v1", b"layer").await;
    world.rot(&files::sha256(&manifest));
    let get = || world.get("/v2/a/manifests/v1").send();
    get().await.refused(404, "MANIFEST_UNKNOWN");
    world.manifest("a", "v1", OCI_IMAGE, &manifest).await.expect(StatusCode::CREATED);
    get().await.expect(StatusCode::OK);
}

#[tokio::test]
async fn a_blob_is_hashed_by_its_first_read_in_a_day() {
    let world = World::new().await;
    let digest = world.blob("a", b"layer").await;
    let get = || async { world.get(&format!("/v2/a/blobs/{digest}")).send().await };
    get().await.expect(StatusCode::OK);
    world.rot(&digest);
    get().await.expect(StatusCode::OK);
    world.pass(24 * 60 * 60);
    get().await.refused(404, "BLOB_UNKNOWN");
}

#[tokio::test]
async fn a_verification_finds_what_changed_and_goes_on_after_a_restart() {
    let mut world = World::new().await;
    let mut blobs = Vec::new();
    for n in 0..250_u32 {
        blobs.push(world.blob("a", &n.to_be_bytes()).await);
    }
    world.registry.verify().await.unwrap();
    // A life that ends before it has done much.
    let stop = CancellationToken::new();
    let registry = world.registry.clone();
    let (running, ending) = (registry.run_verifications(stop.clone()), async {
        while registry.verification().unwrap().checked < 120 {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    tokio::join!(running, ending);
    blobs.sort();
    world.rot(&blobs[240]);
    std::fs::remove_file(world.registry.shared.files.blob(&blobs[241])).unwrap();
    world.restart();
    let begun = world.registry.verification().unwrap();
    assert!(begun.ended_at.is_none() && (100..=120).contains(&begun.checked), "{begun:?}");

    let (registry, stop) = (world.registry.clone(), CancellationToken::new());
    let (running, ending) = (registry.run_verifications(stop.clone()), async {
        while registry.verification().unwrap().ended_at.is_none() {
            tokio::task::yield_now().await;
        }
        stop.cancel();
    });
    tokio::join!(running, ending);
    let found = world.registry.verification().unwrap();
    assert_eq!((found.blobs, found.checked, found.damaged), (250, 250, 2));
    let listed: Vec<_> = found.listed.iter().map(|blob| blob.digest).collect();
    assert_eq!(listed, blobs[240..242]);
    assert_eq!(found.listed[0].repositories, ["a".parse().unwrap()]);
    assert_eq!(world.in_quarantine(), 1);
    let gone = format!("/v2/a/blobs/{}", blobs[240]);
    world.get(&gone).send().await.refused(404, "BLOB_UNKNOWN");
    // The next one begins anew.
    world.registry.verify().await.unwrap();
    assert_eq!(world.registry.verification().unwrap().checked, 0);
}

#[tokio::test]
async fn an_upload_that_lies_idle_ends_by_itself() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.pass(3_599);
    world.registry.end_idle_uploads().await;
    world.get(&location).send().await.expect(StatusCode::NO_CONTENT);
    world.pass(3_600);
    world.registry.end_idle_uploads().await;
    world.get(&location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(world.uploads_on_disk(), 0);
}

#[tokio::test]
async fn a_disk_that_fails_at_any_step_of_a_manifest_leaves_no_manifest_and_no_tag() {
    for step in STEPS {
        let world = World::new().await;
        world.blob("a", b"{}").await;
        world.blob("a", b"layer").await;
        let manifest = image(b"{}", &[b"layer"]);
        world.faults().fail(step, io::ErrorKind::Other);
        let put = || world.manifest("a", "v1", OCI_IMAGE, &manifest);
        put().await.refused(500, "UNKNOWN");
        let reference = files::sha256(&manifest).to_string();
        for reference in ["v1", &reference] {
            let uri = format!("/v2/a/manifests/{reference}");
            world.get(&uri).send().await.refused(404, "MANIFEST_UNKNOWN");
        }
        assert_eq!(world.uploads_on_disk(), 0, "{step:?}");
        // Edges of a push that did not end hold nothing.
        let layer = format!("/v2/a/blobs/{}", files::sha256(b"layer"));
        world.request("DELETE", &layer).send().await.expect(StatusCode::ACCEPTED);
        world.faults().heal();
        world.blob("a", b"layer").await;
        put().await.expect(StatusCode::CREATED);
        world.check_rows().await;
    }
}
