//! Plain HTTP/1.1 on its short path: framing either way, and that nobody can tell it from pingora's proxy.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::*;

/// A router with one target for `a.test`.
async fn world(dir: &std::path::Path, origin: &Origin, lean: bool) -> World {
    let mut world =
        if lean { World::start(dir).await } else { World::start_without_lean(dir).await };
    let groups = vec![group(1, vec![target(task(1), origin.address)])];
    world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
    world
}

/// All that comes back until the connection ends.
async fn transcript(world: &World, request: impl AsRef<[u8]>) -> String {
    let mut client = Client::new(world.address).await;
    client.write(request).await;
    let mut all = Vec::new();
    within("the end of the connection", client.tcp.read_to_end(&mut all)).await.ok();
    String::from_utf8_lossy(&all).into_owned()
}

fn request(method: &str) -> String {
    format!("{method} / HTTP/1.1\r\nHost: a.test\r\nX-Request-Id: 7f\r\nConnection: close\r\n\r\n")
}

#[tokio::test]
async fn an_answer_reaches_the_client_in_its_own_framing_or_with_an_end_that_can_be_told() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start("a", Act::Answer);
    let world = world(dir.path(), &origin, true).await;
    let last = "X-Request-Id: 7f\r\nConnection: close\r\n\r\n".to_lowercase();
    let without_date = |head: &str| -> String {
        head.split_inclusive("\r\n").filter(|line| !line.starts_with("Date: ")).collect()
    };
    for (method, said, head, body) in [
        (
            "GET",
            "200 OK\r\nContent-Length: 2\r\nKeep-Alive: x\r\n\r\nhi",
            "200 OK\r\ncontent-length: 2",
            "hi",
        ),
        (
            "GET",
            "200\r\nConnection: close, X-A\r\nX-A: 1\r\nX-B: 2\r\nContent-Length: 0\r\n\r\n",
            "200 \r\nx-b: 2\r\ncontent-length: 0",
            "",
        ),
        (
            "GET",
            "200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2;a=b\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
            "200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-sum",
            "2;a=b\r\nhi\r\n0\r\nX-Sum: 7\r\n\r\n",
        ),
        ("HEAD", "200 OK\r\nContent-Length: 9\r\n\r\n", "200 OK\r\ncontent-length: 9", ""),
        ("GET", "204 No Content\r\n\r\n", "204 No Content", ""),
        (
            "GET",
            "304 Not Modified\r\nContent-Length: 9\r\n\r\n",
            "304 Not Modified\r\ncontent-length: 9",
            "",
        ),
    ] {
        origin.act(Act::Say(Box::leak(format!("HTTP/1.1 {said}").into_boxed_str())));
        let all = transcript(&world, request(method)).await;
        let (got, rest) = all.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{said:?}: {all:?}"));
        let expected = format!("HTTP/1.1 {head}\r\n{last}").to_lowercase();
        let got = without_date(&format!("{got}\r\n\r\n")).to_lowercase();
        assert_eq!(got, expected, "{said:?}");
        assert_eq!(rest, body, "{said:?}");
    }
    origin.act(Act::Say("HTTP/1.1 200 OK\r\n\r\nuntil the end"));
    let all = transcript(&world, request("GET")).await;
    assert!(all.contains("\r\nTransfer-Encoding: chunked\r\n"), "{all}");
    assert!(all.ends_with("\r\n\r\nd\r\nuntil the end\r\n0\r\n\r\n"), "{all}");
    origin.act(Act::Say("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"));
    let all = transcript(&world, request("GET")).await;
    assert!(
        all.starts_with("HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\n"),
        "{all}"
    );
    world.stop().await;
}

#[tokio::test]
async fn an_answer_that_is_cut_reaches_the_client_as_far_as_it_came() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start("a", Act::Answer);
    let world = world(dir.path(), &origin, true).await;
    for (said, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf", "\r\n\r\nhalf"),
        (
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nhalf\r\n9\r\nmo",
            "4\r\nhalf\r\n9\r\nmo",
        ),
    ] {
        origin.act(Act::Say(said));
        for _ in 0..20 {
            let all = transcript(&world, request("GET")).await;
            assert!(all.starts_with("HTTP/1.1 200 OK\r\n") && all.ends_with(expected), "{all:?}");
        }
    }
    world.stop().await;
}

#[tokio::test]
async fn what_is_no_response_is_a_502_and_a_body_that_breaks_its_coding_a_400() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start("a", Act::Answer);
    let world = world(dir.path(), &origin, true).await;
    for said in [
        "what?\r\n\r\n",
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nConte",
    ] {
        origin.act(Act::Say(said));
        let all = transcript(&world, request("POST")).await;
        assert!(all.starts_with("HTTP/1.1 502 "), "{said:?}: {all}");
        assert!(
            all.contains("\r\nconnection: close\r\n") || all.contains("\r\nConnection: close\r\n")
        );
    }
    origin.act(Act::Answer);
    let head = "POST / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    for body in ["\r\n", "x\r\n", "2\r\nabc\r\n", "2\nab\r\n", "0\r\nno trailer\r\n\r\n"] {
        let all = transcript(&world, format!("{head}{body}")).await;
        assert!(all.starts_with("HTTP/1.1 400 "), "{body:?}: {all}");
    }
    world.stop().await;
}

#[tokio::test]
async fn a_request_behind_a_body_in_chunks_is_served() {
    let dir = tempfile::tempdir().unwrap();
    let origin = Origin::start("a", Act::Answer);
    let world = world(dir.path(), &origin, true).await;
    let post = "POST /one HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\n";
    let get = "GET /two HTTP/1.1\r\nHost: a.test\r\n\r\n";
    let mut client = Client::new(world.address).await;
    for _ in 0..20 {
        client.write(format!("{post}2\r\nhi\r\n0\r\n\r\n{get}")).await;
        assert!(client.read().await.unwrap().body.contains("POST /one"));
        assert!(client.read().await.unwrap().body.contains("GET /two"));
    }
    world.stop().await;
}

#[tokio::test]
async fn a_trusted_proxy_tells_the_target_who_the_client_is_and_nobody_else_does() {
    let said = "GET / HTTP/1.1\r\nHost: a.test\r\nX-Forwarded-For: 6.6.6.6, 192.0.2.9\r\nX-Forwarded-Proto: https\r\n\r\n";
    let origin = Origin::start("a", Act::Answer);
    for lean in [true, false] {
        for (proxy, way, client, proto) in [
            ("127.0.0.0/8", "6.6.6.6, 192.0.2.9, 127.0.0.1", "192.0.2.9", "https"),
            ("10.0.0.0/8", "127.0.0.1", "127.0.0.1", "http"),
        ] {
            let dir = tempfile::tempdir().unwrap();
            let proxies = [proxy.parse().unwrap()];
            let mut world = World::start_behind(dir.path(), lean, &proxies).await;
            let groups = vec![group(1, vec![target(task(1), origin.address)])];
            world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
            let answer = send(world.address, said).await.unwrap();
            assert_eq!(answer.got("x-forwarded-for"), [way], "{proxy}, lean: {lean}");
            assert_eq!(answer.got("x-real-ip"), [client], "{proxy}, lean: {lean}");
            assert_eq!(answer.got("x-forwarded-proto"), [proto], "{proxy}, lean: {lean}");
            world.stop().await;
        }
    }
}

#[tokio::test]
async fn a_target_that_answers_before_the_body_has_come_is_heard() {
    let dir = tempfile::tempdir().unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut tcp, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut start = vec![0; 1024];
                let count = tcp.read(&mut start).await.unwrap();
                let is_check = start[..count].starts_with(b"GET /health");
                let status = if is_check { "200 OK" } else { "413 Content Too Large" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                tcp.write_all(answer.as_bytes()).await.unwrap();
                tcp.read_to_end(&mut start).await.ok();
            });
        }
    });
    let mut world = World::start(dir.path()).await;
    let groups = vec![group(1, vec![target(task(1), address)])];
    world.show_healthy(forward(&["a.test"], groups), &[task(1)]).await;
    let mut client = Client::new(world.address).await;
    client.write("POST / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9000000\r\n\r\nbegin").await;
    assert_eq!(client.read().await.unwrap().status, 413);
    world.stop().await;
}

/// What comes next from a seed (`SplitMix64`).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((z ^ (z >> 31)) % u64::try_from(bound).unwrap()).unwrap()
    }

    fn pick<'a>(&mut self, of: &[&'a str]) -> &'a str {
        of[self.below(of.len())]
    }
}

/// Some requests behind each other, the last of which ends the connection; now and then a broken one.
fn stream(seed: u64) -> Vec<u8> {
    let mut random = Random(seed);
    let mut all = String::new();
    let count = 1 + random.below(3);
    for number in 1..=count {
        let method =
            random.pick(&["GET", "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "LOCK"]);
        let path = random
            .pick(&["/", "/a/b?c=d", "/a/../b", "//x", "/%41", "/a%2Fb", "/?", "/é", "*", "x"]);
        let host = random.pick(&["a.test", "a.test", "a.test:80", "A.TEST", "nobody.test", ""]);
        all.push_str(&format!("{method} {path} HTTP/1.1\r\nHost: {host}\r\nX-Request-Id: d\r\n"));
        for _ in 0..random.below(4) {
            all.push_str(random.pick(&[
                "Accept: text/html\r\n",
                "Accept: */*\r\n",
                "X-Forwarded-For: 1.2.3.4\r\n",
                "x_forwarded_for: 1.2.3.4\r\n",
                "Cookie: a=b; c=d\r\n",
                "X-Empty:\r\n",
                "X-Long:   spaced   \r\n",
                "X Bad: 1\r\n",
                "Proxy: x\r\n",
                "Accept-Encoding: gzip\r\n",
                "TE: trailers\r\n",
                "Keep-Alive: timeout=5\r\n",
                "Proxy-Connection: keep-alive\r\n",
                "Proxy-Authorization: Basic eDp5\r\n",
            ]));
        }
        // Named fields are for the router alone. The proxy reads no more than one line of them.
        all.push_str(match (number == count, random.below(4)) {
            (true, 0) => "Connection: close, X-Long\r\n",
            (true, _) => "Connection: close\r\n",
            (false, 0) => "Connection: X-Long\r\n",
            (false, _) => "",
        });
        let body = "x".repeat(random.below(2000));
        match random.below(6) {
            0 | 1 => all.push_str(&format!("Content-Length: {}\r\n\r\n{body}", body.len())),
            // What comes behind a body in chunks is lost on pingora's proxy, sometimes with the request itself.
            2 if number == count => all.push_str(&format!(
                "Transfer-Encoding: chunked\r\n\r\n{:x}\r\n{body}x\r\n0\r\n\r\n",
                body.len() + 1
            )),
            _ => all.push_str("\r\n"),
        }
    }
    all.into_bytes()
}

/// Answers, each without what may differ: the order and case of fields, over which connection the target was asked, and what
/// the connection does next.
fn answers(all: &str) -> Vec<Vec<String>> {
    let all = all.replace("\r\n", "\n");
    let mut answers: Vec<Vec<String>> = Vec::new();
    for line in all.lines() {
        if line.starts_with("HTTP/1.1 ") {
            answers.push(Vec::new());
        }
        let line = line.to_lowercase();
        let differs = ["connection", "content-length: ", "date: ", "request ", "x-request-id: "];
        if !differs.iter().any(|start| line.starts_with(start)) {
            answers.last_mut().expect("a status line comes first").push(line);
        }
    }
    for answer in &mut answers {
        answer.sort();
    }
    answers
}

#[tokio::test]
async fn the_short_path_and_pingoras_proxy_say_the_same_to_clients_and_targets() {
    let full = std::env::var_os("BERTH_TEST_FULL").is_some();
    let dirs = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let origin = Origin::start("a", Act::Answer);
    let short = world(dirs[0].path(), &origin, true).await;
    let proxied = world(dirs[1].path(), &origin, false).await;
    let ports = [short.address.port().to_string(), proxied.address.port().to_string()];
    for seed in 0..if full { 100_000 } else { 400 } {
        let stream = stream(seed);
        let one = transcript(&short, &stream).await.replace(&ports[0], "PORT");
        let other = transcript(&proxied, &stream).await.replace(&ports[1], "PORT");
        let stream = String::from_utf8_lossy(&stream);
        let (short, proxied) = (answers(&one), answers(&other));
        // One difference is wanted: the proxy closes a connection behind an answer of its own to a request with a body, and the
        // short path goes on.
        let is_own = other.rsplit("HTTP/1.1 ").next().is_some_and(|last| last.contains("no-store"));
        let same = short.starts_with(&proxied) && (is_own || short.len() == proxied.len());
        assert!(same, "seed {seed}: {stream}\n---\n{one}\n---\n{other}");
    }
    short.stop().await;
    proxied.stop().await;
}
