//! Uploads in every order that clients use, and what is left when they fail.

use std::io;

use http::StatusCode;
use model::{Clock as _, Digest};
use sha2::Digest as _;

use super::world::World;
use crate::files;

const CREATED: StatusCode = StatusCode::CREATED;
const ACCEPTED: StatusCode = StatusCode::ACCEPTED;

fn finish(location: &str, bytes: &[u8]) -> String {
    format!("{location}?digest={}", files::sha256(bytes))
}

#[tokio::test]
async fn every_way_to_upload_ends_in_the_same_blob() {
    let world = World::new().await;
    let bytes = b"0123456789";
    for way in ["put whole", "stream, put", "chunks, put", "chunks, last chunk", "post whole"] {
        let repository = way.replace([' ', ','], "-").replace("--", "-");
        let location = world.upload(&repository).await;
        let patch = || world.request("PATCH", &location);
        let put = || world.request("PUT", &finish(&location, bytes));
        let last = match way {
            "put whole" => put().body(bytes),
            "stream, put" => {
                let pieces = vec![Ok(&bytes[..3]), Ok(&bytes[3..])];
                let reply = patch().stream(pieces).send().await.expect(ACCEPTED);
                assert_eq!(reply.header("range"), "0-9");
                put()
            }
            "post whole" => {
                let digest = files::sha256(bytes);
                let uri = format!("/v2/{repository}/blobs/uploads/?digest={digest}");
                world.request("POST", &uri).body(bytes)
            }
            _ => {
                let first = patch().header("content-range", "0-3").body(&bytes[..4]);
                assert_eq!(first.send().await.expect(ACCEPTED).header("range"), "0-3");
                if way == "chunks, put" {
                    let second = patch().header("content-range", "4-9/*").body(&bytes[4..]);
                    assert_eq!(second.send().await.expect(ACCEPTED).header("range"), "0-9");
                    put()
                } else {
                    put().header("content-range", "4-9").body(&bytes[4..])
                }
            }
        };
        let reply = last.send().await.expect(CREATED);
        assert_eq!(reply.header("docker-content-digest"), files::sha256(bytes).to_string());
        let blob = world.get(&reply.location()).send().await.expect(StatusCode::OK);
        assert_eq!(&blob.body[..], bytes, "{way}");
    }
}

#[tokio::test]
async fn a_sha512_blob_needs_no_announcement() {
    let world = World::new().await;
    let digest = Digest::Sha512(sha2::Sha512::digest(b"hello").into());
    let location = world.upload("a").await;
    let put = world.request("PUT", &format!("{location}?digest={digest}")).body(b"hello");
    let reply = put.send().await.expect(CREATED);
    assert_eq!(reply.header("docker-content-digest"), digest.to_string());
    let blob = world.get(&reply.location()).send().await.expect(StatusCode::OK);
    assert_eq!(blob.header("docker-content-digest"), digest.to_string());
    let wrong = Digest::Sha512(sha2::Sha512::digest(b"other").into());
    let location = world.upload("a").await;
    let put = world.request("PUT", &format!("{location}?digest={wrong}")).body(b"hello");
    put.send().await.refused(400, "DIGEST_INVALID");
    let start = |algorithm| format!("/v2/a/blobs/uploads/?digest-algorithm={algorithm}");
    world.request("POST", &start("sha512")).send().await.expect(ACCEPTED);
    world.request("POST", &start("md5")).send().await.refused(400, "DIGEST_INVALID");
}

#[tokio::test]
async fn the_status_says_how_far_it_is() {
    let world = World::new().await;
    let location = world.upload("a").await;
    let status = || async {
        let reply = world.get(&location).send().await.expect(StatusCode::NO_CONTENT);
        assert_eq!(reply.location(), location);
        reply.header("range")
    };
    assert_eq!(status().await, "0-0");
    world.request("PATCH", &location).stream(vec![]).send().await.expect(ACCEPTED);
    assert_eq!(status().await, "0-0");
    world.request("PATCH", &location).body(b"abc").send().await.expect(ACCEPTED);
    assert_eq!(status().await, "0-2");
}

#[tokio::test]
async fn a_chunk_out_of_order_is_refused_and_harms_nothing() {
    let world = World::new().await;
    let bytes = b"0123456789";
    let location = world.upload("a").await;
    let first = world.request("PATCH", &location).header("content-range", "0-4").body(&bytes[..5]);
    first.send().await.expect(ACCEPTED);
    let put = finish(&location, bytes);
    for range in ["0-4", "6-9", "3-7", "5", "bytes 5-9", "9-5", "-5-9"] {
        for (method, uri) in [("PATCH", location.as_str()), ("PUT", put.as_str())] {
            let chunk = world.request(method, uri).header("content-range", range).body(b"xxxxx");
            let reply = chunk.send().await.refused(416, "BLOB_UPLOAD_INVALID");
            assert_eq!(
                (reply.header("range"), reply.location()),
                ("0-4".to_owned(), location.clone())
            );
        }
        world.get(&location).send().await.expect(StatusCode::NO_CONTENT);
    }
    let last = world.request("PUT", &put).header("content-range", "5-9").body(&bytes[5..]);
    last.send().await.expect(CREATED);
}

#[tokio::test]
async fn a_body_of_another_length_than_it_says_counts_for_nothing() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(ACCEPTED);
    for length in ["4", "6", "0"] {
        let chunk =
            world.request("PATCH", &location).body(b"xxxxx").header("content-length", length);
        chunk.send().await.refused(400, "SIZE_INVALID");
        let ranged = world.request("PATCH", &location).header("content-range", "3-5");
        ranged.stream(vec![Ok(b"xxxxx")]).send().await.refused(400, "SIZE_INVALID");
        let put = world.request("PUT", &finish(&location, b"abcxxxxx")).body(b"xxxxx");
        put.header("content-length", length).send().await.refused(400, "SIZE_INVALID");
        let status = world.get(&location).send().await;
        assert_eq!(status.header("range"), "0-2");
    }
    let disagree = world.request("PATCH", &location).header("content-range", "3-4").body(b"xxxxx");
    disagree.send().await.refused(400, "SIZE_INVALID");
    world.request("PUT", &finish(&location, b"abcdef")).body(b"def").send().await.expect(CREATED);
}

#[tokio::test]
async fn a_chunk_that_is_cut_off_leaves_the_upload_as_it_was_and_takes_no_room() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(ACCEPTED);
    let cut = || vec![Ok(&b"lost"[..]), Err(io::ErrorKind::ConnectionReset.into())];
    for (method, uri) in [("PATCH", location.clone()), ("PUT", finish(&location, b"abclost"))] {
        let chunk = world.request(method, &uri).header("content-range", "3-9").stream(cut());
        chunk.send().await.refused(400, "BLOB_UPLOAD_INVALID");
        assert_eq!(world.get(&location).send().await.header("range"), "0-2");
        assert_eq!(std::fs::metadata(world.upload_file(&location)).unwrap().len(), 3);
    }
    world.request("PUT", &finish(&location, b"abc")).send().await.expect(CREATED);
}

#[tokio::test]
async fn a_stream_that_is_cut_off_keeps_what_came_and_goes_on_there() {
    let world = World::new().await;
    let location = world.upload("a").await;
    let cut = || vec![Ok(&b"came"[..]), Err(io::ErrorKind::ConnectionReset.into())];
    let stream = world.request("PATCH", &location).stream(cut());
    stream.send().await.refused(400, "BLOB_UPLOAD_INVALID");
    assert_eq!(world.get(&location).send().await.header("range"), "0-3");
    let put = world.request("PUT", &finish(&location, b"camecame")).stream(cut());
    put.send().await.refused(400, "BLOB_UPLOAD_INVALID");
    assert_eq!(world.get(&location).send().await.header("range"), "0-7");
    world.request("PUT", &finish(&location, b"camecame")).send().await.expect(CREATED);
}

#[tokio::test]
async fn a_stream_whose_client_goes_away_keeps_what_came_and_goes_on_there() {
    let world = World::new().await;
    let location = world.upload("a").await;
    let large = bytes::Bytes::from(vec![7; 1 << 20]);
    let endless = futures_util::stream::unfold(0, move |sent| {
        let large = large.clone();
        async move {
            if sent < 4 {
                return Some((Ok::<_, io::Error>(large), sent + 1));
            }
            futures_util::future::pending().await
        }
    });
    let endless = axum::body::Body::from_stream(endless);
    let mut sending = std::pin::pin!(world.request("PATCH", &location).raw_body(endless).send());
    let path = world.upload_file(&location);
    let arrived = async {
        while std::fs::metadata(&path).unwrap().len() < 3 << 20 {
            tokio::task::yield_now().await;
        }
    };
    tokio::select! {
        _ = sending.as_mut() => unreachable!("the body does not end"),
        () = arrived => {}
    }
    // While it is written to, nobody else may; when its client has gone, the next one begins behind what was written.
    let next = || world.request("PATCH", &location).body(b"x").send();
    next().await.refused(416, "BLOB_UPLOAD_INVALID");
    sending.set(next());
    let mut reply = sending.as_mut().await;
    while reply.status == StatusCode::RANGE_NOT_SATISFIABLE {
        tokio::task::yield_now().await;
        reply = next().await;
    }
    let range = reply.expect(ACCEPTED).header("range");
    let last: usize = range.strip_prefix("0-").unwrap().parse().unwrap();
    assert!((3 << 20..=4 << 20).contains(&last), "{last}");
    let bytes = [vec![7; last], b"x".to_vec()].concat();
    world.request("PUT", &finish(&location, &bytes)).send().await.expect(CREATED);
}

#[tokio::test]
async fn a_wrong_digest_stores_nothing() {
    let world = World::new().await;
    let wrong = files::sha256(b"other");
    let post = format!("/v2/a/blobs/uploads/?digest={wrong}");
    world.request("POST", &post).body(b"hello").send().await.refused(400, "DIGEST_INVALID");
    let location = world.upload("a").await;
    for bad in ["", "?digest=", "?digest=sha256:0", "?digest=md5:00", "?digests=1"] {
        let put = world.request("PUT", &format!("{location}{bad}")).body(b"hello");
        put.send().await.refused(400, "DIGEST_INVALID");
    }
    let put = world.request("PUT", &format!("{location}?digest={wrong}")).body(b"hello");
    put.send().await.refused(400, "DIGEST_INVALID");
    for digest in [wrong, files::sha256(b"hello")] {
        let uri = format!("/v2/a/blobs/{digest}");
        world.get(&uri).send().await.refused(404, "BLOB_UNKNOWN");
        assert!(!world.registry.shared.files.blob(&digest).exists());
    }
    world.get(&location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    assert_eq!(world.uploads_on_disk(), 0);
}

#[tokio::test]
async fn a_finished_or_cancelled_upload_is_gone() {
    let world = World::new().await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(ACCEPTED);
    world.request("DELETE", &location).send().await.expect(StatusCode::NO_CONTENT);
    let finished = world.upload("a").await;
    world.request("PUT", &finish(&finished, b"abc")).body(b"abc").send().await.expect(CREATED);
    for location in [location, finished] {
        for method in ["GET", "PATCH", "PUT", "DELETE"] {
            let uri = finish(&location, b"abc");
            let reply = world.request(method, &uri).body(b"").send().await;
            reply.refused(404, "BLOB_UPLOAD_UNKNOWN");
        }
    }
    assert_eq!(world.uploads_on_disk(), 0);
}

#[tokio::test]
async fn two_who_push_the_same_blob_at_once_both_succeed() {
    let world = World::new().await;
    let bytes = vec![3; 700_000];
    let pushes = (0..8).map(|n| {
        let (world, bytes) = (&world, &bytes);
        async move { world.blob(if n % 2 == 0 { "a" } else { "b" }, bytes).await }
    });
    let digests = futures_util::future::join_all(pushes).await;
    for repository in ["a", "b"] {
        let uri = format!("/v2/{repository}/blobs/{}", digests[0]);
        assert!(world.get(&uri).send().await.expect(StatusCode::OK).body == bytes);
    }
    assert_eq!(world.uploads_on_disk(), 0);
}

#[tokio::test]
async fn an_upload_belongs_to_its_repository_and_its_principal() {
    let world = World::new().await;
    let location = world.upload("a").await;
    let elsewhere = location.replace("/v2/a/", "/v2/b/");
    world.request("PATCH", &elsewhere).body(b"x").send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    let id = location.rsplit('/').next().unwrap().parse().unwrap();
    let other = model::Principal::User("eve".to_owned());
    let uploads = &world.registry.shared.uploads;
    assert!(uploads.find(id, &"a".parse().unwrap(), &other).is_err());
    world.request("PUT", &finish(&location, b"x")).body(b"x").send().await.expect(CREATED);
}

#[tokio::test]
async fn uploads_that_lie_idle_end_and_too_many_are_refused() {
    let world = World::new().await;
    let idle = world.upload("a").await;
    world.pass(1_800);
    let touched = world.upload("a").await;
    world.pass(1_800);
    world.request("PATCH", &touched).body(b"x").send().await.expect(ACCEPTED);
    world.upload("a").await;
    world.get(&idle).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    world.get(&touched).send().await.expect(StatusCode::NO_CONTENT);
    assert_eq!(world.uploads_on_disk(), 2);
    let uploads = &world.registry.shared.uploads;
    let (name, who) = ("a".parse().unwrap(), model::Principal::User("admin".to_owned()));
    while uploads.start(&name, &who, world.clock.now()).is_ok() {}
    let reply = world.request("POST", "/v2/a/blobs/uploads/").send().await;
    assert_eq!(reply.refused(429, "TOOMANYREQUESTS").header("retry-after"), "60");
}

#[tokio::test]
async fn uploads_that_killed_clients_left_shut_nobody_out_for_longer_than_a_minute() {
    let world = World::new().await;
    for _ in 0..256 {
        world.upload("a").await;
    }
    world.request("POST", "/v2/a/blobs/uploads/").send().await.refused(429, "TOOMANYREQUESTS");
    world.pass(59);
    world.request("POST", "/v2/a/blobs/uploads/").send().await.refused(429, "TOOMANYREQUESTS");
    assert_eq!(world.uploads_on_disk(), 256);
    world.pass(1);
    let location = world.upload("a").await;
    assert_eq!(world.uploads_on_disk(), 1);
    world.request("PUT", &finish(&location, b"x")).body(b"x").send().await.expect(CREATED);
}

#[tokio::test]
async fn a_restart_ends_uploads_and_keeps_blobs() {
    let mut world = World::new().await;
    let digest = world.blob("a", b"kept").await;
    let location = world.upload("a").await;
    world.request("PATCH", &location).body(b"abc").send().await.expect(ACCEPTED);
    world.restart();
    assert_eq!(world.uploads_on_disk(), 0);
    world.get(&location).send().await.refused(404, "BLOB_UPLOAD_UNKNOWN");
    world.get(&format!("/v2/a/blobs/{digest}")).send().await.expect(StatusCode::OK);
}
