use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use link::Authority;
use link::server::{Server, Streams, Submit, SubmitError};
use link::token::JoinTokenText;
use model::{
    AccessChange, Action, Change, Clock, Cluster, ClusterChange, ClusterId, Digest, Epoch,
    InstallationId, JoinToken, JoinTokenId, Listener, ListenerId, Observed, PeerRole,
    RoutingChange, State, Timestamp,
};
use sha2::Digest as _;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::world::rule;
use super::*;

const SECRET: &str = "a secret of the test";

struct Fixed;

impl Clock for Fixed {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(1_795_421_734_000)
    }
}

/// A control plane with one rule that answers by itself.
struct Plane {
    address: std::net::SocketAddr,
    token: String,
    observed: watch::Receiver<Observed>,
    state: Arc<watch::Sender<State>>,
    serving: AbortOnDropHandle<()>,
}

fn change(state: &watch::Sender<State>, changes: &[Change]) -> Result<(), SubmitError> {
    let mut outcome = Ok(());
    state.send_if_modified(|state| {
        let touched = state.apply_all(changes, Fixed.now());
        let is_new = touched.as_ref().is_ok_and(|touched| !touched.is_empty());
        if is_new {
            *state = state.clone().at(state.revision().next());
        }
        outcome = touched.map(drop).map_err(SubmitError::Refused);
        is_new
    });
    outcome
}

async fn plane(dir: &Path) -> Plane {
    let now = Fixed.now();
    let installation = InstallationId::new(now, [4; 10]);
    let authority = Authority::open(&dir.join("ca"), installation, now).unwrap();
    let id = JoinTokenId::new(now, [5; 10]);
    let cluster = "default".parse().unwrap();
    let join = JoinToken {
        id,
        role: PeerRole::Router,
        cluster: "default".parse().unwrap(),
        hash: Digest::Sha256(sha2::Sha256::digest(SECRET.as_bytes()).into()),
        uses_left: 1,
        created_at: now,
        expires_at: now.plus(Duration::from_hours(1)),
    };
    let body = "the first answer".to_owned();
    let action = Action::FixedResponse { status: 200, content_type: "text/plain".to_owned(), body };
    let listener = ListenerId::new(Timestamp::EPOCH, [2; 10]);
    let state = Arc::new(watch::Sender::new(State::default()));
    let beginning = [
        Change::Install(installation),
        ClusterChange::Create(Cluster {
            id: ClusterId::new(now, [1; 10]),
            name: cluster,
            created_at: now,
        })
        .into(),
        RoutingChange::CreateListener(Listener {
            id: listener,
            name: "http".to_owned(),
            created_at: now,
        })
        .into(),
        RoutingChange::CreateRule(rule(1, "a.test", "/", action)).into(),
        AccessChange::CreateJoinToken(join).into(),
    ];
    change(&state, &beginning).unwrap();
    let fingerprint = authority.fingerprint();
    let token = JoinTokenText { fingerprint, id, secret: SECRET.to_owned() }.to_string();
    let (observed, seen) = watch::channel(Observed::new(now));
    let submitted = Arc::clone(&state);
    let submit: Submit = Arc::new(move |changes| {
        let state = Arc::clone(&submitted);
        Box::pin(async move { change(&state, &changes) })
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    #[expect(
        clippy::default_trait_access,
        reason = "the type is of a crate that routers do not know"
    )]
    let server = Server {
        authority,
        epoch: Epoch(1),
        state: state.subscribe(),
        observed,
        submit,
        mount: Default::default(),
        clock: Arc::new(Fixed),
        streams: Streams::default(),
        beat: Duration::from_millis(50),
    };
    let serving = async { server.serve(listener, CancellationToken::new()).await.unwrap() };
    let serving = AbortOnDropHandle::new(tokio::spawn(serving));
    Plane { address, token, observed: seen, state, serving }
}

/// A whole router in a task.
struct Whole {
    address: std::net::SocketAddr,
    ready: watch::Receiver<bool>,
    shutdown: CancellationToken,
    running: AbortOnDropHandle<Result<(), crate::Error>>,
}

fn whole(dir: &Path, plane: &Plane, join_token: Option<String>) -> Whole {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let shutdown = CancellationToken::new();
    let config = crate::Config {
        dir: dir.to_owned(),
        server: plane.address.to_string(),
        join_token,
        name: "edge".to_owned(),
        version: "0.0.0".to_owned(),
        listener,
        lean: true,
        trusted_proxies: Vec::new(),
        generation: crate::Generation { ended: shutdown.clone(), ..Default::default() },
    };
    let (ready, is_ready) = watch::channel(false);
    let running = crate::run(config, Arc::new(Fixed), ready);
    let running = AbortOnDropHandle::new(tokio::spawn(running));
    Whole { address, ready: is_ready, shutdown, running }
}

impl Whole {
    async fn body(&self) -> String {
        let request = "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n";
        send(self.address, request).await.expect("an answer").body
    }

    async fn stop(self) {
        self.shutdown.cancel();
        within("the end of the router", self.running).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_router_joins_follows_the_control_plane_and_goes_on_without_it() {
    let dir = tempfile::tempdir().unwrap();
    let (own, mut plane) = (dir.path().join("router"), plane(dir.path()).await);
    disk::create_dir(&own, 0o700).unwrap();
    let mut router = whole(&own, &plane, Some(plane.token.clone()));
    within("the first table", router.ready.wait_for(|ready| *ready)).await.unwrap();
    assert_eq!(router.body().await, "the first answer");
    let listed: Vec<_> = plane.state.borrow().routers().map(|router| router.id).collect();
    let listed = listed[0];
    let body = "the second answer".to_owned();
    let action = Action::FixedResponse { status: 200, content_type: String::new(), body };
    let mut second = rule(2, "a.test", "/", action);
    second.priority = Some(1);
    change(&plane.state, &[RoutingChange::CreateRule(second).into()]).unwrap();
    let revision = plane.state.borrow().revision();
    let applied = plane.observed.wait_for(|observed| {
        observed.routers.get(&listed).is_some_and(|seen| seen.applied >= Some(revision))
    });
    drop(within("the acknowledgement", applied).await.unwrap());
    assert_eq!(router.body().await, "the second answer");
    plane.serving.abort();
    assert_eq!(router.body().await, "the second answer");
    router.stop().await;
    let router = whole(&own, &plane, None);
    assert_eq!(router.body().await, "the second answer", "from its disk, with no server");
    assert!(*router.ready.borrow());
    router.stop().await;
}

#[tokio::test]
async fn a_router_that_cannot_join_says_why() {
    let dir = tempfile::tempdir().unwrap();
    let plane = plane(dir.path()).await;
    let router = whole(dir.path(), &plane, None);
    let error = within("its end", router.running).await.unwrap().unwrap_err();
    assert!(matches!(error, crate::Error::Link(link::client::ClientError::NotJoined { .. })));
}
