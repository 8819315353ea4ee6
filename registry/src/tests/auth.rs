//! Who gets in, with what, and what the others are told.

use std::time::Duration;

use http::StatusCode;
use model::{AccessChange, CredentialKind, InstanceId, Principal, RouterId, Timestamp};

use super::world::World;

const OK: StatusCode = StatusCode::OK;

impl World {
    /// The refresh token of a `docker login` of the administrator.
    async fn docker_login(&self) -> String {
        let uri = "/v2/token?account=admin&client_id=docker&offline_token=true&service=berth";
        let reply = self.stranger("GET", uri).basic("admin", &self.token).send().await;
        reply.expect(OK).json()["refresh_token"].as_str().unwrap().to_owned()
    }

    /// An access token of the administrator for these scopes.
    pub(super) async fn access_token(&self, scopes: &[&str]) -> String {
        let uri = ["/v2/token?service=berth&account=admin"].iter().chain(scopes);
        let uri = uri.copied().collect::<Vec<_>>().join("&scope=");
        let reply = self.stranger("GET", &uri).basic("admin", &self.token).send().await.expect(OK);
        let reply = reply.json();
        assert_eq!(reply["token"], reply["access_token"]);
        assert_eq!(reply["expires_in"], 300);
        reply["token"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_stranger_is_told_where_to_get_a_token_and_for_what() {
    let world = World::new().await;
    let request = async |method: &str, uri: &str| {
        let reply = world.stranger(method, uri).send().await.refused(401, "UNAUTHORIZED");
        assert_eq!(reply.header("docker-distribution-api-version"), "registry/2.0");
        reply.header("www-authenticate")
    };
    let start = r#"Bearer realm="http://localhost:5000/v2/token",service="berth""#;
    assert_eq!(request("GET", "/v2/").await, start);
    let pull = format!(r#"{start},scope="repository:team/hello:pull""#);
    assert_eq!(request("GET", "/v2/team/hello/manifests/latest").await, pull);
    let push = format!(r#"{start},scope="repository:team/hello:pull,push""#);
    assert_eq!(request("POST", "/v2/team/hello/blobs/uploads/").await, push);
    let blob = format!("/v2/team/hello/blobs/{}", crate::files::sha256(b"layer"));
    assert_eq!(request("GET", &blob).await, pull);
    let delete = format!(r#"{start},scope="repository:team/hello:delete""#);
    assert_eq!(request("DELETE", "/v2/team/hello/manifests/latest").await, delete);
    let catalog = format!(r#"{start},scope="registry:catalog:*""#);
    assert_eq!(request("GET", "/v2/_catalog").await, catalog);
    for uri in ["/v2/A/manifests/x", "/v2/nowhere", "/v2/a/blobs/sha256:0"] {
        assert_eq!(request("GET", uri).await, start, "{uri}");
    }
}

#[tokio::test]
async fn the_realm_is_where_the_client_reached_us_and_nothing_else() {
    let world = World::new().await;
    for (host, forwarded, realm) in [
        ("registry.example:443", "https", "https://registry.example:443/v2/token"),
        ("[::1]:5000", "", "http://[::1]:5000/v2/token"),
        ("a\",service=\"evil", "", "http://localhost/v2/token"),
    ] {
        let request = world.stranger("GET", "/v2/").header("host", host);
        let reply = request.header("x-forwarded-proto", forwarded).send().await;
        let start = format!("Bearer realm=\"{realm}\",");
        assert!(reply.header("www-authenticate").starts_with(&start), "{reply:?}");
    }
}

#[tokio::test]
async fn the_administrators_token_serves_as_password_and_as_bearer() {
    let world = World::new().await;
    world.stranger("GET", "/v2/").bearer(&world.token).send().await.expect(OK);
    world.stranger("GET", "/v2/").basic("admin", &world.token).send().await.expect(OK);
    let wrong = [
        world.stranger("GET", "/v2/").bearer("berth_pat_0"),
        world.stranger("GET", "/v2/").bearer("eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9."),
        world.stranger("GET", "/v2/").basic("admin", "admin"),
        world.stranger("GET", "/v2/").basic("root", &world.token),
        world.stranger("GET", "/v2/").header("authorization", "Basic !"),
        world.stranger("GET", "/v2/").header("authorization", "Digest x"),
        world.stranger("GET", "/v2/").header("authorization", "Bearer"),
    ];
    for request in wrong {
        let reply = request.send().await.refused(401, "UNAUTHORIZED");
        assert!(reply.header("www-authenticate").contains("invalid_token"));
    }
}

#[tokio::test]
async fn who_has_no_right_learns_nothing() {
    let world = World::new().await;
    world.image("a", "v1", b"layer").await;
    let eve = world.user("eve").await;
    let digest = crate::files::sha256(b"layer");
    for (method, uri) in [
        ("GET", "/v2/a/manifests/v1".to_owned()),
        ("GET", "/v2/never/manifests/v1".to_owned()),
        ("GET", format!("/v2/a/blobs/{digest}")),
        ("GET", "/v2/a/tags/list".to_owned()),
        ("GET", format!("/v2/a/referrers/{digest}")),
        ("POST", "/v2/a/blobs/uploads/".to_owned()),
        ("POST", format!("/v2/eve/blobs/uploads/?mount={digest}&from=a")),
        ("PUT", "/v2/a/manifests/v2".to_owned()),
        ("DELETE", "/v2/a/manifests/v1".to_owned()),
        ("DELETE", format!("/v2/a/blobs/{digest}")),
    ] {
        let reply = world.stranger(method, &uri).bearer(&eve).body(b"").send().await;
        reply.refused(404, "NAME_UNKNOWN");
    }
    world.stranger("GET", "/v2/_catalog").bearer(&eve).send().await.refused(403, "DENIED");
    world.stranger("GET", "/v2/").bearer(&eve).send().await.expect(OK);
}

/// As oras-py's token back end pushes: it looks for the blob first, and keeps the token that it gets for that.
#[tokio::test]
async fn a_client_that_keeps_the_token_of_its_look_for_a_blob_can_push_with_it() {
    let world = World::new().await;
    let digest = crate::files::sha256(b"layer");
    let look = world.stranger("HEAD", &format!("/v2/a/blobs/{digest}")).send().await;
    let header = look.header("www-authenticate");
    let (_, scope) = header.split_once("scope=\"").unwrap();
    let token = world.access_token(&[scope.trim_end_matches('"')]).await;
    let uri = format!("/v2/a/blobs/uploads/?digest={digest}");
    let push = world.stranger("POST", &uri).bearer(&token).body(b"layer");
    push.send().await.expect(StatusCode::CREATED);
}

#[tokio::test]
async fn a_token_allows_what_it_was_asked_for_and_says_what_is_missing() {
    let world = World::new().await;
    world.image("a", "v1", b"layer").await;
    let token = world.access_token(&["repository:a:pull"]).await;
    let request = |method, uri| world.stranger(method, uri).bearer(&token);
    request("GET", "/v2/a/manifests/v1").send().await.expect(OK);
    for (method, uri, scope) in [
        ("POST", "/v2/a/blobs/uploads/", "repository:a:pull,push"),
        ("DELETE", "/v2/a/manifests/v1", "repository:a:delete"),
        ("GET", "/v2/b/manifests/v1", "repository:b:pull"),
        ("GET", "/v2/_catalog", "registry:catalog:*"),
    ] {
        let reply = request(method, uri).send().await.refused(401, "UNAUTHORIZED");
        let header = reply.header("www-authenticate");
        assert!(header.ends_with(&format!(r#"scope="{scope}",error="insufficient_scope""#)));
        let wider = world.access_token(&["repository:a:pull", scope]).await;
        let reply = world.stranger(method, uri).bearer(&wider).send().await;
        assert_ne!(reply.status, StatusCode::UNAUTHORIZED, "{uri}");
    }
}

#[tokio::test]
async fn a_token_ends_with_its_time_and_with_the_credential_it_came_from() {
    let world = World::new().await;
    let token = world.access_token(&[]).await;
    let request = || world.stranger("GET", "/v2/").bearer(&token).send();
    world.pass(299);
    request().await.expect(OK);
    world.pass(1);
    request().await.refused(401, "UNAUTHORIZED");

    let token = world.access_token(&[]).await;
    let request = || world.stranger("GET", "/v2/").bearer(&token).send();
    request().await.expect(OK);
    let hash = access::hash_secret(&world.token);
    let credential = world.store.state().credential_by_hash(&hash).unwrap().id;
    world.apply(vec![AccessChange::RevokeCredential(credential).into()]).await;
    request().await.refused(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn docker_login_gets_a_refresh_token_that_only_buys_access_tokens() {
    let world = World::new().await;
    let refresh = world.docker_login().await;
    world.stranger("GET", "/v2/").bearer(&refresh).send().await.refused(401, "UNAUTHORIZED");
    let basic = world.stranger("GET", "/v2/").basic("admin", &refresh);
    basic.send().await.refused(401, "UNAUTHORIZED");

    let form = format!(
        "grant_type=refresh_token&refresh_token={refresh}&service=berth&client_id=docker&scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull"
    );
    let post = || world.stranger("POST", "/v2/token").body(form.as_bytes()).send();
    let post_by = |agent| {
        world.stranger("POST", "/v2/token").header("user-agent", agent).body(form.as_bytes()).send()
    };
    let reply = post().await.expect(OK).json();
    assert!(reply.get("refresh_token").is_none());
    let token = reply["access_token"].as_str().unwrap();
    let start = world.stranger("POST", "/v2/a/blobs/uploads/").bearer(token);
    start.send().await.expect(StatusCode::ACCEPTED);
    let start = world.stranger("POST", "/v2/b/blobs/uploads/").bearer(token);
    start.send().await.refused(401, "UNAUTHORIZED");

    let last_use = || {
        let logins = world.store.state();
        let login = logins.credentials().find(|one| one.kind == CredentialKind::RegistryRefresh);
        login.unwrap().last_use.clone().unwrap()
    };
    let made = last_use();
    assert_eq!(made.client, None, "it did not say");
    world.pass(80 * 24 * 3_600);
    let docker = || post_by("docker/20.10.24+dfsg1 go/go1.19.8 os/linux");
    docker().await.expect(OK);
    let used = last_use();
    assert_eq!(used.client.as_deref(), Some("docker/20.10.24+dfsg1"));
    assert_eq!(used.at.since(made.at), Duration::from_hours(80 * 24));
    world.pass(3_599);
    let revision = world.store.state().revision();
    post().await.expect(OK);
    assert_eq!(world.store.state().revision(), revision, "recorded once an hour");
    world.pass(80 * 24 * 3_600);
    post().await.expect(OK);
    world.pass(90 * 24 * 3_600);
    post().await.refused(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_revoked_login_buys_nothing_more_and_what_it_bought_ends() {
    let world = World::new().await;
    let refresh = world.docker_login().await;
    let form = format!(
        "grant_type=refresh_token&refresh_token={refresh}&scope=repository%3Aa%3Apull%2Cpush"
    );
    let post = || world.stranger("POST", "/v2/token").body(form.as_bytes()).send();
    let access = post().await.expect(OK).json()["token"].as_str().unwrap().to_owned();
    let start = || world.stranger("POST", "/v2/a/blobs/uploads/").bearer(&access).send();
    start().await.expect(StatusCode::ACCEPTED);
    let state = world.store.state();
    let login = state.credentials().find(|one| one.kind == CredentialKind::RegistryRefresh);
    world.apply(vec![AccessChange::RevokeCredential(login.unwrap().id).into()]).await;
    start().await.refused(401, "UNAUTHORIZED");
    post().await.refused(401, "UNAUTHORIZED");
}

#[tokio::test]
async fn a_password_form_works_as_basic_does() {
    let world = World::new().await;
    let form =
        format!("grant_type=password&username=admin&password={}&access_type=offline", world.token);
    let reply = world.stranger("POST", "/v2/token").body(form.as_bytes()).send().await.expect(OK);
    assert!(reply.json()["refresh_token"].is_string() && reply.json()["access_token"].is_string());
    for form in [
        "grant_type=password&username=admin&password=x",
        "grant_type=refresh_token&refresh_token=x",
        "grant_type=refresh_token",
    ] {
        let post = world.stranger("POST", "/v2/token").body(form.as_bytes());
        let reply = post.send().await.refused(401, "UNAUTHORIZED");
        assert!(reply.header("www-authenticate").starts_with("Basic"));
    }
    let post = world.stranger("POST", "/v2/token").body(b"grant_type=magic");
    post.send().await.refused(400, "UNSUPPORTED");
    world.stranger("GET", "/v2/token").send().await.refused(401, "UNAUTHORIZED");
    world.stranger("DELETE", "/v2/token").send().await.refused(405, "UNSUPPORTED");
}

#[tokio::test]
async fn a_login_of_one_machine_logs_out_no_other() {
    let world = World::new().await;
    let mut first = None;
    for _ in 0..60 {
        let token = world.docker_login().await;
        first.get_or_insert(token);
        world.pass(1);
    }
    assert_eq!(world.store.state().credentials().count(), 60 + 1);
    let form = format!("grant_type=refresh_token&refresh_token={}", first.unwrap());
    world.stranger("POST", "/v2/token").body(form.as_bytes()).send().await.expect(OK);
}

#[tokio::test]
async fn a_peer_of_the_link_may_pull_only_what_access_says() {
    let world = World::new().await;
    world.image("a", "v1", b"layer").await;
    let instance = InstanceId::new(Timestamp::EPOCH, [1; 10]);
    let request = |uri, principal| world.stranger("GET", uri).principal(principal);
    // It has no task, so no repository.
    for principal in
        [Principal::Instance(instance), Principal::Router(RouterId::new(Timestamp::EPOCH, [1; 10]))]
    {
        request("/v2/", principal.clone()).send().await.expect(OK);
        request("/v2/a/manifests/v1", principal).send().await.refused(404, "NAME_UNKNOWN");
    }
    request("/v2/", Principal::Anonymous).send().await.refused(401, "UNAUTHORIZED");
    // The extension says who asks, whatever the header says.
    let both = request("/v2/a/manifests/v1", Principal::Instance(instance)).bearer(&world.token);
    both.send().await.refused(404, "NAME_UNKNOWN");
    world.run_task_on(instance, "a").await;
    request("/v2/a/manifests/v1", Principal::Instance(instance)).send().await.expect(OK);
    let push = world.stranger("POST", "/v2/a/blobs/uploads/");
    push.principal(Principal::Instance(instance)).send().await.refused(404, "NAME_UNKNOWN");
    world.image("b", "v1", b"layer").await;
    request("/v2/b/manifests/v1", Principal::Instance(instance))
        .send()
        .await
        .refused(404, "NAME_UNKNOWN");
}
