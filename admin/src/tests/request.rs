//! What is no request that can be answered is a problem document that says why.

use super::*;

#[tokio::test]
async fn a_body_that_is_no_json_is_refused_with_its_place() {
    let world = World::new().await;
    let cases = [
        ("{", "EOF"),
        ("[]", "a list is not an object"),
        ("null", "null is not an object"),
        ("{\"name\": \"hello\"} x", "goes on behind its JSON"),
        ("{\"name\": \"hello\", \"memori\": 1}", "unknown field `memori`"),
        ("{\"name\": \"hello\", \"port\": \"x\"}", "at `port`"),
        ("{\"name\": \"hello\", \"port\": 70000}", "at `port`"),
        ("{\"name\": \"hello\", \"environment\": [{\"name\": 1}]}", "at `environment[0].name`"),
        ("{\"name\": \"Hello\"}", "use 1 to 63 lowercase letters"),
        ("", "missing field `name`"),
        ("\u{0}", "expected value"),
    ];
    for (body, expected) in cases {
        let answer = world.ask("POST", "/deploy", body.to_owned()).await;
        let detail = answer.problem(400, "InvalidParameter");
        assert!(detail.contains(expected), "{body}: {detail}");
    }
    let deep = format!("{{\"name\": {}", "[".repeat(100_000));
    world.ask("POST", "/deploy", deep).await.problem(400, "InvalidParameter");
    let broken = Bytes::from_static(b"{\"name\": \"\xff\"}");
    world.ask("POST", "/deploy", broken).await.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn a_huge_body_is_refused_and_a_large_one_is_not() {
    let world = World::new().await;
    let body = |size: usize| format!("{{\"name\": \"{}\"}}", "a".repeat(size));
    for path in ["/deploy", "/services", "/tasks", "/task-definitions", "/rules", "/join-tokens"] {
        let answer = world.ask("POST", path, body(1 << 20)).await;
        answer.problem(413, "PayloadTooLarge");
    }
    let answer = world.ask("POST", "/deploy", body(1_000_000)).await;
    let detail = answer.problem(400, "InvalidParameter");
    assert!(detail.chars().count() < 2_100, "what was sent is quoted only in part");
}

#[tokio::test]
async fn hostile_names_are_refused_and_never_reach_anything() {
    let world = World::with_hello().await;
    let long = "a".repeat(5_000);
    let names = [
        "a%2Fb",
        "..%2F..%2Fetc",
        "%2e%2e",
        "%00",
        "%ff",
        "%F0%9F%92%A5",
        "a%20b",
        "hello%0a",
        "Hello",
        "-hello",
        "a:b:c",
        "hello:0",
        "hello:-1",
        "*",
        "%25",
        "%3Cscript%3E",
        &long,
    ];
    let paths = ["/services/", "/tasks/", "/task-definitions/", "/instances/"];
    for path in paths {
        for name in names {
            let answer = world.get(&format!("{path}{name}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}{name}: {}", answer.text);
            let code = answer.body["code"].as_str().unwrap().to_owned();
            let detail = answer.problem(answer.status.as_u16(), &code);
            assert!(detail.chars().count() < 2_100, "{detail}");
        }
    }
    for name in names.map(|name| name.replace('&', "")) {
        for query in ["/services?cluster=", "/tasks?serviceName=", "/tags?repository="] {
            let answer = world.get(&format!("{query}{name}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{query}{name}: {}", answer.text);
        }
        for path in ["/routers/", "/rules/", "/services/", "/instances/"] {
            let answer = world.delete(&format!("{path}{name}")).await;
            assert!(matches!(answer.status.as_u16(), 400 | 404), "{path}{name}: {}", answer.text);
        }
    }
    assert_eq!(world.state().services().count(), 1);
}

#[tokio::test]
async fn a_name_that_breaks_its_rule_is_told_the_rule() {
    let world = World::new().await;
    let answer = world.get("/services/My_Service").await;
    let detail = answer.problem(400, "InvalidParameter");
    assert!(detail.starts_with("`My_Service` is not a service name: use 1 to 63"), "{detail}");
    let answer = world.get("/tasks/abc").await;
    let detail = answer.problem(400, "InvalidParameter");
    assert!(detail.starts_with("`abc` is no id; an id has 32 hexadecimal digits"), "{detail}");
    let answer = world.get("/tasks/xyzw").await;
    answer.problem(400, "InvalidParameter");
}

#[tokio::test]
async fn a_query_that_is_not_understood_is_refused_by_name() {
    let world = World::new().await;
    let cases = [
        ("/tasks?desiredStatus=DONE", "DONE"),
        ("/tasks?service=hello", "service"),
        ("/services?cluster=a&cluster=b", "cluster"),
        ("/tags", "repository"),
        ("/tags?repository=A", "not a repository name"),
    ];
    for (path, expected) in cases {
        let answer = world.get(path).await;
        let detail = answer.problem(400, "InvalidParameter");
        assert!(detail.contains(expected), "{path}: {detail}");
    }
}

#[tokio::test]
async fn head_answers_as_get_without_a_body() {
    let world = World::with_hello().await;
    for path in ["/status", "/services/hello", "/openapi.json"] {
        let answer = world.ask("HEAD", path, Body::empty()).await;
        assert_eq!((answer.status.as_u16(), answer.text.as_str()), (200, ""), "{path}");
    }
    assert_eq!(world.ask("HEAD", "/services/other", Body::empty()).await.status, 404);
}
