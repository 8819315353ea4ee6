//! Who may ask for what, and that nothing else can be asked for.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use ::access::Resource;
use api::Page;
use axum::extract::ConnectInfo;
use control::Operation;
use model::CredentialUse;
use model::history::About;

use super::*;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn document(world: &World) -> Value {
    world.get("/openapi.json").await.ok()
}

/// Path, method and id of every operation in the document; its action is that of the table.
fn operations(document: &Value) -> Vec<(String, String, Operation)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let path = path.clone();
        let methods = item.as_object().unwrap().clone().into_iter();
        methods.map(move |(method, operation)| {
            let id = operation["operationId"].as_str().unwrap();
            let known = Operation::ALL.iter().find(|known| known.as_str() == id);
            let known = known.unwrap_or_else(|| panic!("{method} {path} is no operation: {id}"));
            assert_eq!(operation["x-action"], known.action().as_str(), "{method} {path}");
            (path.clone(), method.to_uppercase(), *known)
        })
    };
    paths.iter().flat_map(of_path).collect()
}

fn fill(path: &str) -> String {
    let parts = path.split('/').map(|part| if part.starts_with('{') { "x" } else { part });
    parts.collect::<Vec<_>>().join("/")
}

async fn ask(world: &World, method: &str, path: &str, token: Option<&str>) -> Answer {
    let mut request = Request::builder().method(method).uri(path);
    if let Some(token) = token {
        request = request.header("authorization", format!("Bearer {token}"));
    }
    world.send(request.body(Body::empty()).unwrap()).await
}

#[tokio::test]
async fn every_operation_enforces_the_action_that_it_declares() {
    let world = World::new().await;
    let operations = operations(&document(&world).await);
    assert!(operations.len() >= 30, "{} operations", operations.len());
    for (path, method, operation) in operations {
        assert!(path.starts_with("/api/v1/"), "{path}");
        let path = fill(&path);
        let nobody = ask(&world, &method, &path, None).await;
        nobody.problem(401, "Unauthenticated");
        assert_eq!(nobody.headers["www-authenticate"], "Bearer");
        let other = ask(&world, &method, &path, Some(&world.other)).await;
        let detail = other.problem(403, "AccessDenied");
        let (action, resource) = (operation.action(), Resource::any(operation.kind()));
        let expected = format!("`user/other` may not `{action}` on `{resource}`");
        assert_eq!(detail, expected, "{method} {path}");
    }
}

#[tokio::test]
async fn every_route_is_one_operation_and_every_operation_but_the_registrys_one_route() {
    let world = World::new().await;
    let mut routed: Vec<Operation> = operations(&document(&world).await)
        .into_iter()
        .map(|(_, _, operation)| operation)
        .collect();
    routed.sort();
    let registry = [
        Operation::Pull,
        Operation::UploadBlob,
        Operation::PutManifest,
        Operation::DeleteManifest,
        Operation::DeleteBlob,
        Operation::LogIn,
        Operation::RecordLoginUse,
    ];
    let all = Operation::ALL.iter().copied();
    let expected: Vec<Operation> = all.filter(|one| !registry.contains(one)).collect();
    assert_eq!(routed, expected);
}

#[tokio::test]
async fn who_did_what_is_remembered_under_the_id_of_the_answer() {
    let world = World::with_hello().await;
    let from = ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 40_000)));
    let request = Request::builder().method("PATCH").uri("/api/v1/services/hello").extension(from);
    let request = request.header("authorization", format!("Bearer {}", world.admin));
    let body = json!({"desiredCount": 5}).to_string();
    let answer = world.send(request.body(Body::from(body)).unwrap()).await;
    let query = HistoryQuery { about: About::Audit, limit: 1, after: None };
    let row = world.store.history(query).await.unwrap().remove(0);
    let History::Audit(event) = row else { panic!("{row:?}") };
    assert_eq!(answer.headers["x-request-id"], event.request_id);
    assert_eq!(event.principal.to_string(), "user/admin");
    assert_eq!(event.source, Some(IpAddr::from([192, 0, 2, 7])));
    assert_eq!(
        (event.operation.as_str(), event.action.as_str()),
        ("UpdateService", "service:Update")
    );
    assert_eq!(
        (event.resource.as_str(), event.outcome),
        ("service/default/hello", AuditOutcome::Succeeded)
    );
    let denied = ask(&world, "DELETE", "/api/v1/services/hello", Some(&world.other)).await;
    let row = world.store.history(query).await.unwrap().remove(0);
    let History::Audit(event) = row else { panic!("{row:?}") };
    assert_eq!(denied.headers["x-request-id"], event.request_id);
    let expected = ("user/other", "DeleteService", AuditOutcome::Denied);
    let principal = event.principal.to_string();
    assert_eq!((principal.as_str(), event.operation.as_str(), event.outcome), expected);
}

#[tokio::test]
async fn every_answer_names_the_revision_of_the_api() {
    let world = World::new().await;
    for (path, token) in [
        ("/api/v1/services", Some(&*world.admin)),
        ("/api/v1/services", None),
        ("/api/v1/services?limit=x", Some(&*world.admin)),
        ("/nothing", Some(&*world.admin)),
        ("/livez", None),
    ] {
        let answer = ask(&world, "GET", path, token).await;
        assert_eq!(answer.headers["berth-api-revision"], "4", "{path}");
    }
}

#[tokio::test]
async fn nothing_is_served_that_the_document_does_not_list() {
    let world = World::new().await;
    let operations = operations(&document(&world).await);
    for path in operations.iter().map(|(path, ..)| path) {
        for method in METHODS {
            if operations.iter().any(|(p, m, _)| p == path && m == method) {
                continue;
            }
            let filled = fill(path);
            ask(&world, method, &filled, None).await.problem(401, "Unauthenticated");
            let answer = ask(&world, method, &filled, Some(&world.admin)).await;
            answer.problem(405, "MethodNotAllowed");
            let allow = answer.headers["allow"].to_str().unwrap();
            assert!(!allow.split(',').any(|known| known == method), "{method} {path}: {allow}");
        }
    }
    let unknown = [
        "/api",
        "/api/v1",
        "/api/v1/",
        "/api/v1/credentials",
        "/api/v1/services/",
        "/api/v1/services/x/y",
        "/api/v2/services",
        "/metrics",
        "/API/v1/services",
        "//api/v1/services",
        "/api/v1/../v1/services",
    ];
    for path in unknown {
        for method in METHODS {
            ask(&world, method, path, None).await.problem(401, "Unauthenticated");
            let answer = ask(&world, method, path, Some(&world.admin)).await;
            assert!(answer.problem(404, "NoSuchPath").contains("/api/v1/openapi.json"));
        }
    }
}

#[tokio::test]
async fn only_the_probes_and_the_signpost_need_no_credential() {
    let world = World::new().await;
    assert_eq!(ask(&world, "GET", "/livez", None).await.text, "ok\n");
    assert_eq!(ask(&world, "GET", "/readyz", None).await.status, 503);
    let signpost = ask(&world, "GET", "/", None).await;
    assert_eq!(signpost.status, 200);
    assert!(signpost.text.contains("/api/v1/openapi.json"), "{}", signpost.text);
    ask(&world, "POST", "/livez", None).await.problem(401, "Unauthenticated");
    ask(&world, "GET", "/api/v1/openapi.json", None).await.problem(401, "Unauthenticated");
}

#[tokio::test]
async fn only_a_valid_api_token_proves_anybody() {
    let world = World::new().await;
    let (over, make_over) = credential("admin", CredentialKind::Token, Some(now()));
    let (refresh, make_refresh) = credential("admin", CredentialKind::RegistryRefresh, None);
    world.apply(vec![make_over, make_refresh]).await;
    let admin = &world.admin;
    let headers = [
        String::new(),
        "Bearer".to_owned(),
        "Bearer ".to_owned(),
        "Bearer berth_pat_wrong".to_owned(),
        format!("Bearer {over}"),
        format!("Bearer {refresh}"),
        format!("Bearer {admin}x"),
        format!("Bearer {}", admin.to_uppercase()),
        format!("Basic {admin}"),
        format!("Token {admin}"),
        admin.clone(),
    ];
    for header in headers {
        let request = Request::builder().uri("/api/v1/status").header("authorization", &header);
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        let detail = answer.problem(401, "Unauthenticated");
        assert!(detail.contains("admin.token") && !detail.contains(admin.as_str()), "{header}");
    }
    let request = Request::builder().uri("/api/v1/status");
    let request = request.header("authorization", format!("bearer {admin}"));
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, 200);
}

#[tokio::test]
async fn a_revoked_token_is_no_token_any_more() {
    let world = World::new().await;
    let hash = ::access::hash_secret(&world.admin);
    let id = world.state().credential_by_hash(&hash).unwrap().id;
    world.get("/status").await.ok();
    world.apply(vec![AccessChange::RevokeCredential(id).into()]).await;
    world.get("/status").await.problem(401, "Unauthenticated");
}

#[tokio::test]
async fn tokens_are_listed_without_their_secrets_until_they_end_or_are_revoked() {
    let world = World::new().await;
    let (secret, login) = credential("admin", CredentialKind::RegistryRefresh, None);
    let (_, over) = credential("admin", CredentialKind::RegistryRefresh, Some(now()));
    world.apply(vec![login, over]).await;
    let id = world.state().credential_by_hash(&::access::hash_secret(&secret)).unwrap().id;
    let (client, address) = (Some("docker/27.3.1".to_owned()), Some(Ipv4Addr::LOCALHOST.into()));
    let last_use = CredentialUse { at: now(), client, address };
    let expires_at = Some(now().plus(Duration::from_secs(1)));
    world.apply(vec![AccessChange::UseCredential { id, last_use, expires_at }.into()]).await;

    let listed = world.get("/tokens").await;
    assert!(!listed.text.contains(&secret) && !listed.text.contains(&world.admin));
    let tokens: Page<api::Token> = serde_json::from_value(listed.ok()).unwrap();
    let login = tokens.items.iter().find(|token| token.token_id == id).unwrap();
    assert_eq!((tokens.items.len(), login.kind), (3, api::TokenKind::RegistryLogin));
    assert_eq!(login.principal, "user/admin");
    assert_eq!(login.client.as_deref(), Some("docker/27.3.1"));
    assert_eq!((login.last_used_at, login.expires_at), (Some(now()), expires_at));

    world.delete(&format!("/tokens/{id}")).await.ok();
    let again = world.delete(&format!("/tokens/{id}")).await;
    assert!(again.problem(404, "TokenNotFound").contains("berth token ls"));
    let tokens = world.get("/tokens").await.ok();
    assert_eq!(tokens["items"].as_array().unwrap().len(), 2);

    let hash = ::access::hash_secret(&world.admin);
    let own = world.state().credential_by_hash(&hash).unwrap().id;
    let detail = world.delete(&format!("/tokens/{own}")).await;
    assert!(detail.problem(409, "InUse").contains("only API token"));
    world.get("/status").await.ok();
}
