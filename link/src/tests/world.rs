//! A server with a store in memory, and peers that join it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router as Mount;
use axum::routing::get;
use model::{
    AccessChange, Change, Clock, Cluster, ClusterChange, ClusterId, Digest, Epoch, HostIdentity,
    InstallationId, InstanceId, JoinToken, JoinTokenId, NewTask, Observed, PeerRole, PinnedImage,
    Placement, Platform, Principal, Resources, State, StateRevision, TaskChange, TaskDefinition,
    TaskDefinitionChange, TaskId, Timestamp,
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::client::TlsStream;
use tokio_tungstenite::WebSocketStream;
use tokio_util::sync::CancellationToken;

use crate::client::{self, ClientConfig, ClientError, Session};
use crate::message::{Hello, HostReport, Peer};
use crate::server::{Server, Streams, Submit, SubmitError};
use crate::token::JoinTokenText;
use crate::{Authority, PeerId};

/// The server's end of a stream on which a test sends any frames.
pub(super) type RawServer = WebSocketStream<tokio_rustls::server::TlsStream<TcpStream>>;

pub(super) const BEAT: Duration = Duration::from_millis(50);
const DEADLINE: Duration = Duration::from_secs(20);

/// A clock that moves only by `advance`.
#[derive(Debug)]
pub(super) struct TestClock(AtomicI64);

impl Clock for TestClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(self.0.load(Ordering::SeqCst))
    }
}

/// The store in memory: applies at once, counts what touched something, and can be out of order.
pub(super) struct Store {
    state: watch::Sender<State>,
    clock: Arc<TestClock>,
    pub(super) commits: Mutex<Vec<Change>>,
    pub(super) is_down: AtomicBool,
}

impl Store {
    pub(super) fn apply(&self, changes: &[Change]) -> Result<(), SubmitError> {
        if self.is_down.load(Ordering::SeqCst) {
            return Err(SubmitError::Unavailable("the disk is full".to_owned()));
        }
        let mut outcome = Ok(());
        self.state.send_if_modified(|state| {
            let touched = state.apply_all(changes, self.clock.now());
            let is_new = touched.as_ref().is_ok_and(|touched| !touched.is_empty());
            if is_new {
                *state = state.clone().at(state.revision().next());
                self.commits.lock().unwrap().extend_from_slice(changes);
            }
            outcome = touched.map(drop).map_err(SubmitError::Refused);
            is_new
        });
        outcome
    }

    pub(super) fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// How many Changes of the kind that `is` picks have touched something.
    pub(super) fn count(&self, is: impl Fn(&Change) -> bool) -> usize {
        self.commits.lock().unwrap().iter().filter(|change| is(change)).count()
    }
}

/// A server that runs.
pub(super) struct World {
    pub(super) dir: TempDir,
    pub(super) store: Arc<Store>,
    pub(super) clock: Arc<TestClock>,
    pub(super) authority: Authority,
    pub(super) address: SocketAddr,
    pub(super) observed: watch::Receiver<Observed>,
    pub(super) streams: Streams,
    running: Option<(CancellationToken, JoinHandle<()>)>,
    peers: CancellationToken,
}

impl World {
    pub(super) async fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(TestClock(AtomicI64::new(1_795_421_734_000)));
        let installation = InstallationId::new(clock.now(), rand::random());
        let authority = Authority::open(&dir.path().join("ca"), installation, clock.now()).unwrap();
        let store = Arc::new(Store {
            state: watch::Sender::new(State::default()),
            clock: Arc::clone(&clock),
            commits: Mutex::default(),
            is_down: AtomicBool::new(false),
        });
        let cluster = Cluster {
            id: ClusterId::new(clock.now(), [1; 10]),
            name: "default".parse().unwrap(),
            created_at: clock.now(),
        };
        store
            .apply(&[
                Change::Install(installation),
                ClusterChange::Create(cluster).into(),
                TaskDefinitionChange::Register(definition()).into(),
            ])
            .unwrap();
        let mut world = Self {
            dir,
            store,
            authority,
            address: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            observed: watch::channel(Observed::new(clock.now())).1,
            streams: Streams::default(),
            clock,
            running: None,
            peers: CancellationToken::new(),
        };
        world.run(1).await;
        world
    }

    /// Starts the server in this epoch, at the address that it had before.
    pub(super) async fn run(&mut self, epoch: u64) {
        let listener = TcpListener::bind(self.address).await.unwrap();
        self.address = listener.local_addr().unwrap();
        let observed = watch::Sender::new(Observed::new(self.clock.now()));
        self.observed = observed.subscribe();
        let store = Arc::clone(&self.store);
        let submit: Submit = Arc::new(move |changes| {
            let store = Arc::clone(&store);
            Box::pin(async move { store.apply(&changes) })
        });
        let server = Server {
            authority: self.authority.clone(),
            epoch: Epoch(epoch),
            state: self.store.state.subscribe(),
            observed,
            submit,
            mount: Mount::new().route("/who", get(who)),
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            streams: Streams::default(),
            beat: BEAT,
        };
        self.streams = server.streams.clone();
        let stop = CancellationToken::new();
        let serving = server.serve(listener, stop.clone());
        let task = tokio::spawn(async { serving.await.unwrap() });
        self.running = Some((stop, task));
    }

    pub(super) async fn stop(&mut self) {
        let (stop, task) = self.running.take().unwrap();
        stop.cancel();
        task.await.unwrap();
    }

    /// A token for this role with this many uses, good for an hour.
    pub(super) fn token(&self, role: PeerRole, uses: u32) -> JoinTokenText {
        let id = JoinTokenId::new(self.clock.now(), rand::random());
        let secret = hex::encode(rand::random::<[u8; 32]>());
        let token = JoinToken {
            id,
            role,
            cluster: "default".parse().unwrap(),
            hash: Digest::Sha256(Sha256::digest(secret.as_bytes()).into()),
            uses_left: uses,
            created_at: self.clock.now(),
            expires_at: self.clock.now().plus(Duration::from_hours(1)),
        };
        self.store.apply(&[AccessChange::CreateJoinToken(token).into()]).unwrap();
        JoinTokenText { fingerprint: self.authority.fingerprint(), id, secret }
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Starts a peer in the directory of this name. It stops with the world.
    pub(super) async fn peer<P: Peer>(
        &self,
        name: &str,
        token: Option<&str>,
    ) -> Result<Session<P>, ClientError> {
        self.peer_at(name, token, self.address).await
    }

    /// The same, dialling another address.
    pub(super) async fn peer_at<P: Peer>(
        &self,
        name: &str,
        token: Option<&str>,
        address: SocketAddr,
    ) -> Result<Session<P>, ClientError> {
        let hello = hello(name, P::ROLE);
        self.dial(name, token, address, hello).await
    }

    /// A peer that has joined before, with another greeting.
    pub(super) async fn peer_saying<P: Peer>(&self, name: &str, hello: Hello) -> Session<P> {
        self.dial(name, None, self.address, hello).await.unwrap()
    }

    async fn dial<P: Peer>(
        &self,
        name: &str,
        token: Option<&str>,
        address: SocketAddr,
        hello: Hello,
    ) -> Result<Session<P>, ClientError> {
        let config = ClientConfig {
            dir: self.path(name),
            server: address.to_string(),
            join_token: token.map(str::to_owned),
        };
        let hello = watch::channel(hello).1;
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        client::start(config, hello, clock, self.peers.child_token()).await
    }

    /// A peer with a token of its own.
    pub(super) async fn joined<P: Peer>(&self, name: &str) -> Session<P> {
        let token = self.token(P::ROLE, 1).to_string();
        self.peer(name, Some(&token)).await.unwrap()
    }

    pub(super) fn advance(&self, by: Duration) {
        self.clock.0.fetch_add(i64::try_from(by.as_millis()).unwrap(), Ordering::SeqCst);
    }

    /// A new task for this instance, which must have a subnet.
    pub(super) fn place(&self, instance: InstanceId, n: u8) -> TaskId {
        let id = TaskId::new(self.clock.now(), rand::random());
        self.place_as(id, instance, n);
        id
    }

    /// The same, with this id.
    pub(super) fn place_as(&self, id: TaskId, instance: InstanceId, n: u8) {
        let subnet = self.store.state().instance(instance).unwrap().subnet.unwrap();
        let placement =
            Placement { instance, address: subnet.address(u32::from(n) + 1), ports: Vec::new() };
        let task = task(id, self.clock.now(), placement);
        self.store.apply(&[TaskChange::Create(task).into()]).unwrap();
    }
}

impl Drop for World {
    fn drop(&mut self) {
        self.peers.cancel();
        if let Some((stop, _)) = &self.running {
            stop.cancel();
        }
    }
}

async fn who(axum::Extension(principal): axum::Extension<Principal>) -> String {
    principal.to_string()
}

/// Waits until a watched value is as it should be.
pub(super) async fn until<T, R>(
    what: &str,
    receiver: &watch::Receiver<T>,
    mut is: impl FnMut(&T) -> Option<R>,
) -> R {
    let mut receiver = receiver.clone();
    let mut found = None;
    let waited = tokio::time::timeout(
        DEADLINE,
        receiver.wait_for(|value| {
            found = is(value);
            found.is_some()
        }),
    )
    .await;
    assert!(matches!(waited, Ok(Ok(_))), "{what}: not within {DEADLINE:?}");
    drop(waited);
    found.unwrap()
}

impl World {
    pub(super) async fn until_state<R>(
        &self,
        what: &str,
        is: impl FnMut(&State) -> Option<R>,
    ) -> R {
        until(what, &self.store.state.subscribe(), is).await
    }

    /// Waits until this instance has a subnet.
    pub(super) async fn settled(&self, id: &str) -> InstanceId {
        let id = id.parse().unwrap();
        self.until_state("a subnet", |state| state.instance(id)?.subnet).await;
        id
    }
}

pub(super) fn instance_of(id: &str) -> PeerId {
    PeerId::Instance(id.parse().unwrap())
}

pub(super) fn stamp<V>(view: Option<&crate::message::Stamped<V>>) -> Option<(u64, StateRevision)> {
    view.map(|view| (view.epoch.0, view.revision))
}

pub(super) fn hello(name: &str, role: PeerRole) -> Hello {
    let host = HostReport {
        capacity: Resources::new(4096, 8192),
        platform: Platform::new("linux", "amd64"),
        identity: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        docker_version: "29.0".to_owned(),
        divides_limits: None,
        used_subnets: vec!["172.17.0.0/16".parse().unwrap()],
    };
    Hello {
        name: name.to_owned(),
        version: "0.1.0".to_owned(),
        host: (role == PeerRole::Agent).then_some(host),
    }
}

fn definition() -> TaskDefinition {
    serde_json::from_value(serde_json::json!({
        "family": "hello", "revision": 1, "registeredAt": "2026-11-23T00:00:00Z",
        "containerDefinitions": [{ "name": "web", "image": "hello:latest", "cpu": 128, "memory": 64 }]
    }))
    .unwrap()
}

fn task(id: TaskId, now: Timestamp, placement: Placement) -> NewTask {
    let image =
        PinnedImage { repository: "hello".parse().unwrap(), digest: Digest::Sha256([1; 32]) };
    NewTask {
        started_by: "user/admin".to_owned(),
        resources: definition().resources(),
        placement: Some(placement),
        images: vec![("web".parse().unwrap(), image)],
        ..NewTask::new(id, "default".parse().unwrap(), definition().key(), now)
    }
}

/// Clients that are no peers.
impl World {
    pub(super) fn without_certificate(&self) -> reqwest::Client {
        self.http(None)
    }

    /// Shows this certificate, whatever it is.
    pub(super) fn with_key(&self, key: rustls::sign::CertifiedKey) -> reqwest::Client {
        self.http(Some(key))
    }

    /// Shows a certificate that another authority made for this peer.
    pub(super) fn forge(&self, forger: &Authority, peer: PeerId) -> reqwest::Client {
        self.with_key(self.key_of(forger, peer))
    }

    fn key_of(&self, authority: &Authority, peer: PeerId) -> rustls::sign::CertifiedKey {
        let key = rcgen::KeyPair::generate().unwrap();
        let request = rcgen::CertificateParams::default().serialize_request(&key).unwrap();
        let request = crate::authority::read_request(&request.pem().unwrap()).unwrap();
        let made = authority.issue(peer, &request, self.clock.now()).unwrap();
        let der = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
        let signing = rustls::crypto::ring::sign::any_supported_type(&der.into()).unwrap();
        rustls::sign::CertifiedKey::new(vec![made.der().clone()], signing)
    }

    /// A stream of this peer, on which a test sends any frames.
    pub(super) async fn raw(&self, peer: PeerId) -> WebSocketStream<TlsStream<TcpStream>> {
        let key = self.key_of(&self.authority, peer);
        let socket = TcpStream::connect(self.address).await.unwrap();
        let name = crate::tls::SERVER_NAME.try_into().unwrap();
        let connector = tokio_rustls::TlsConnector::from(Arc::new(self.tls(Some(key))));
        let stream = connector.connect(name, socket).await.unwrap();
        tokio_tungstenite::client_async("ws://berth-server/link", stream).await.unwrap().0
    }

    /// The installation's server for one stream, on which a test sends any frames.
    pub(super) async fn raw_server(&self, listener: TcpListener) -> RawServer {
        let key = self.authority.server_key(self.clock.now()).unwrap();
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        let tls = crate::tls::server(self.authority.certificate(), key, clock).unwrap();
        let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(tls));
        let (socket, _) = listener.accept().await.unwrap();
        tokio_tungstenite::accept_async(acceptor.accept(socket).await.unwrap()).await.unwrap()
    }

    fn http(&self, key: Option<rustls::sign::CertifiedKey>) -> reqwest::Client {
        let tls = self.tls(key);
        reqwest::Client::builder().tls_backend_preconfigured(tls).no_proxy().build().unwrap()
    }

    fn tls(&self, key: Option<rustls::sign::CertifiedKey>) -> rustls::ClientConfig {
        let shown = key.map(|key| {
            let shown: Arc<dyn rustls::client::ResolvesClientCert> =
                Arc::new(rustls::sign::SingleCertAndKey::from(key));
            shown
        });
        let clock = Arc::clone(&self.clock) as Arc<dyn Clock>;
        crate::tls::client(self.authority.certificate(), shown, clock).unwrap()
    }
}
