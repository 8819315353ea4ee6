//! How peers join and renew, and why they are refused.

use std::os::unix::fs::PermissionsExt as _;
use std::time::Duration;

use model::{InstallationId, InstanceChange, PeerRole};

use super::world::{World, instance_of, until};
use crate::client::ClientError;
use crate::message::{Agent, Router};
use crate::refusal::{RefusalCode, Refused};
use crate::token::JoinTokenText;
use crate::{Authority, client::Session};

async fn refusal(world: &World, name: &str, token: &JoinTokenText) -> (RefusalCode, String) {
    match world.peer::<Agent>(name, Some(&token.to_string())).await {
        Err(ClientError::Refused { code, reason, .. }) => (code, reason),
        other => panic!("joined or failed otherwise: {other:?}"),
    }
}

#[tokio::test]
async fn an_agent_joins_is_given_a_subnet_and_sees_its_view() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let view = until("a view with a subnet", &session.view, |view| {
        let instance = *view.as_ref()?.view.instance()?;
        instance.subnet.map(|_| instance)
    })
    .await;
    assert_eq!(view.id.to_string(), session.id);
    assert!(*session.connected.borrow());
    let state = world.store.state();
    let instance = state.instance(view.id).unwrap();
    assert_eq!((instance.name.as_str(), instance.subnet), ("a", view.subnet));
    let subnet = view.subnet.unwrap();
    assert!("10.64.0.0/10".parse::<model::Subnet>().unwrap().overlaps(subnet));

    let second: Session<Agent> = world.joined("b").await;
    let id = world.settled(&second.id).await;
    let other = world.store.state().instance(id).unwrap().subnet.unwrap();
    assert!(!other.overlaps(subnet), "{other} and {subnet}");
}

#[tokio::test]
async fn an_identity_is_kept_private_and_serves_the_next_start() {
    let world = World::start().await;
    let token = world.token(PeerRole::Router, 1).to_string();
    let first: Session<Router> = world.peer("r", Some(&token)).await.unwrap();
    let path = world.path("r").join("identity.json");
    assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let again: Session<Router> = world.peer("r", None).await.unwrap();
    assert_eq!(again.id, first.id);
    until("connected", &again.connected, |is| is.then_some(())).await;
    let with_spent_token: Session<Router> = world.peer("r", Some(&token)).await.unwrap();
    assert_eq!(with_spent_token.id, first.id);
    assert_eq!(world.store.state().routers().count(), 1);

    let error = world.peer::<Agent>("r", None).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherRole { .. }), "{error}");
}

#[tokio::test]
async fn a_token_opens_only_what_it_is_for_and_only_as_often() {
    let world = World::start().await;
    let once = world.token(PeerRole::Agent, 1);
    let wrong = JoinTokenText { secret: "guessed".to_owned(), ..once.clone() };
    assert_eq!(refusal(&world, "a", &wrong).await.0, RefusalCode::TokenUnknown);
    let unknown = JoinTokenText {
        id: model::JoinTokenId::new(model::Timestamp::EPOCH, [0; 10]),
        ..once.clone()
    };
    assert_eq!(refusal(&world, "a", &unknown).await, refusal(&world, "a", &wrong).await);

    assert!(world.peer::<Agent>("a", Some(&once.to_string())).await.is_ok());
    assert_eq!(refusal(&world, "b", &once).await.0, RefusalCode::TokenUsedUp);

    let late = world.token(PeerRole::Agent, 1);
    world.advance(Duration::from_hours(1));
    assert_eq!(refusal(&world, "b", &late).await.0, RefusalCode::TokenExpired);

    let other = world.token(PeerRole::Router, 1);
    assert_eq!(refusal(&world, "b", &other).await.0, RefusalCode::TokenForOtherRole);
    assert!(!world.path("b").join("identity.json").exists());
    assert_eq!(world.store.state().instances().count(), 1, "a refused join registers no peer");
}

#[tokio::test]
async fn a_server_that_is_not_the_tokens_own_gets_no_secret() {
    let world = World::start().await;
    let token = JoinTokenText { fingerprint: "0f".repeat(32), ..world.token(PeerRole::Agent, 1) };
    let error = world.peer::<Agent>("a", Some(&token.to_string())).await.unwrap_err();
    assert!(matches!(error, ClientError::WrongServer { .. }), "{error:?}");
    assert_eq!(world.store.state().join_token(token.id).unwrap().uses_left, 1);
}

#[tokio::test]
async fn without_a_token_that_can_be_read_there_is_a_sentence_about_what_to_do() {
    let world = World::start().await;
    for nothing in [None, Some(""), Some("  ")] {
        let error = world.peer::<Agent>("a", nothing).await.unwrap_err();
        assert!(matches!(error, ClientError::NotJoined { .. }), "{error}");
        let says_what_to_do = error.to_string().contains("berth instance join-token");
        assert!(says_what_to_do || cfg!(feature = "reworded"), "{error}");
    }
    let error = world.peer::<Agent>("a", Some("hello")).await.unwrap_err();
    assert!(matches!(error, ClientError::Token(_)), "{error}");
}

#[tokio::test]
async fn a_damaged_identity_is_reported_and_left_alone() {
    let world = World::start().await;
    let _session: Session<Agent> = world.joined("a").await;
    let path = world.path("a").join("identity.json");
    disk::write(&path, b"{\"key\":", 0o600).unwrap();
    let token = world.token(PeerRole::Agent, 1).to_string();
    let error = world.peer::<Agent>("a", Some(&token)).await.unwrap_err();
    assert!(matches!(error, ClientError::Damaged { .. }), "{error}");
    assert_eq!(std::fs::read(&path).unwrap(), b"{\"key\":");
}

#[tokio::test]
async fn a_directory_of_another_installation_does_not_join_this_one() {
    let (here, there) = (World::start().await, World::start().await);
    let _session: Session<Agent> = here.joined("a").await;
    let token = there.token(PeerRole::Agent, 1).to_string();
    let error = here.peer::<Agent>("a", Some(&token)).await.unwrap_err();
    assert!(matches!(error, ClientError::OtherInstallation { .. }), "{error}");

    let lost: Session<Agent> = here.peer_at("a", None, there.address).await.unwrap();
    let asked = lost.http.client.get(format!("{}/who", lost.http.base)).send().await;
    assert!(
        asked.unwrap_err().is_connect(),
        "it sends nothing to a server of another installation"
    );
    assert!(!*lost.connected.borrow());
}

#[tokio::test]
async fn everything_but_joining_is_for_registered_peers() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let who = format!("{}/who", session.http.base);
    let answer = session.http.client.get(&who).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), format!("instance/{}", session.id));

    let without = world.without_certificate();
    for path in ["/who", "/link", "/streams/x", "/nothing"] {
        let answer = without.post(format!("{}{path}", session.http.base)).send().await.unwrap();
        assert_eq!(answer.status(), 401, "{path}");
    }

    let id = session.id.parse().unwrap();
    until("connected", &session.connected, |is| is.then_some(())).await;
    world.store.apply(&[InstanceChange::Remove(id).into()]).unwrap();
    until("cut off", &session.connected, |is| (!is).then_some(())).await;
    let answer = session.http.client.get(&who).send().await.unwrap();
    assert_eq!(answer.status(), 403);
    let refused: Refused = answer.json().await.unwrap();
    assert_eq!(refused.code, RefusalCode::PeerRemoved);
    until("forgotten", &world.observed, |observed| {
        (!observed.instances.contains_key(&id)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_certificate_of_another_authority_is_worth_nothing() {
    let world = World::start().await;
    let dir = tempfile::tempdir().unwrap();
    let now = model::Timestamp::from_millis(1_795_421_734_000);
    let installation = InstallationId::new(now, [1; 10]);
    let forger = Authority::open(dir.path(), installation, now).unwrap();
    let session: Session<Agent> = world.joined("a").await;
    let forged = world.forge(&forger, instance_of(&session.id));
    let asked = forged.get(format!("{}/who", session.http.base)).send().await;
    assert!(asked.is_err(), "{asked:?}");

    let server_key = world.authority.server_key(now).unwrap();
    let borrowed = world.with_key(server_key);
    let asked = borrowed.get(format!("{}/who", session.http.base)).send().await;
    assert!(asked.is_err(), "a server's certificate makes no peer: {asked:?}");
}

#[tokio::test]
async fn an_expired_certificate_does_one_thing_it_renews() {
    let mut world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    until("connected", &session.connected, |is| is.then_some(())).await;
    let path = world.path("a").join("identity.json");
    let before = std::fs::read_to_string(&path).unwrap();
    world.stop().await;
    until("cut off", &session.connected, |is| (!is).then_some(())).await;
    world.advance(Duration::from_hours(24 * 365));
    world.run(2).await;
    until("connected again", &session.connected, |is| is.then_some(())).await;
    let after = std::fs::read_to_string(&path).unwrap();
    assert!(after != before, "the new certificate is kept");
    let who = format!("{}/who", session.http.base);
    let answer = session.http.client.get(&who).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), format!("instance/{}", session.id));
}

#[tokio::test]
async fn only_the_holder_of_the_key_renews_and_only_while_registered() {
    let world = World::start().await;
    let session: Session<Agent> = world.joined("a").await;
    let record: serde_json::Value =
        serde_json::from_slice(&std::fs::read(world.path("a").join("identity.json")).unwrap())
            .unwrap();
    let request = |key: &rcgen::KeyPair| {
        let request = rcgen::CertificateParams::default().serialize_request(key).unwrap();
        serde_json::json!({ "certificate": record["certificate"], "request": request.pem().unwrap() })
    };
    let renew = async |body: serde_json::Value| {
        let url = format!("{}/renew", session.http.base);
        world.without_certificate().post(url).json(&body).send().await.unwrap().status()
    };
    let own = rcgen::KeyPair::from_pem(record["key"].as_str().unwrap()).unwrap();
    assert_eq!(renew(request(&own)).await, 200);
    assert_eq!(renew(request(&rcgen::KeyPair::generate().unwrap())).await, 403);
    let garbage = serde_json::json!({ "certificate": "x", "request": "y" });
    assert_eq!(renew(garbage).await, 403);
    world.store.apply(&[InstanceChange::Remove(session.id.parse().unwrap()).into()]).unwrap();
    assert_eq!(renew(request(&own)).await, 403);
}
