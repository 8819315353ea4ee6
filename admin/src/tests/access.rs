//! Who may ask for what, and that nothing else can be asked for.

use super::*;

const METHODS: [&str; 5] = ["GET", "POST", "PUT", "PATCH", "DELETE"];

async fn document(world: &World) -> Value {
    world.get("/openapi.json").await.ok()
}

/// Path, method and action of every operation in the document.
fn operations(document: &Value) -> Vec<(String, String, String)> {
    let paths = document["paths"].as_object().unwrap();
    let of_path = |(path, item): (&String, &Value)| {
        let path = path.clone();
        let methods = item.as_object().unwrap().clone().into_iter();
        methods.map(move |(method, operation)| {
            let action = operation["x-action"].as_str();
            let action = action.unwrap_or_else(|| panic!("{method} {path} declares no action"));
            (path.clone(), method.to_uppercase(), action.to_owned())
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
    for (path, method, action) in operations {
        assert!(path.starts_with("/api/v1/"), "{path}");
        assert!(::access::Action::ALL.iter().any(|known| known.as_str() == action), "{action}");
        let path = fill(&path);
        let nobody = ask(&world, &method, &path, None).await;
        nobody.problem(401, "Unauthenticated");
        assert_eq!(nobody.headers["www-authenticate"], "Bearer");
        let other = ask(&world, &method, &path, Some(&world.other)).await;
        let detail = other.problem(403, "AccessDenied");
        assert_eq!(detail, format!("`user/other` may not `{action}` on `*`"), "{method} {path}");
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
