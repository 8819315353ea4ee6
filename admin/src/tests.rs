//! What the API promises: the whole of it in process, on a store in memory.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use axum::body::Body;
use axum::http::{HeaderMap, Method, Request, StatusCode};
use bytes::Bytes;
use futures_util::future::BoxFuture;
use futures_util::stream::{self, BoxStream, StreamExt as _};
use http_body_util::BodyExt as _;
use model::*;
use serde_json::{Value, json};
use store::Store;
use tokio::sync::watch;
use tower::ServiceExt as _;

use crate::{Admin, Images, Logs, Readiness, router};

mod access;
mod backend;
mod definition;
mod deploy;
mod document;
mod idempotency;
mod instance;
mod page;
mod precondition;
mod race;
mod request;
mod routing;
mod service;
mod status;
mod task;

/// A clock that moves on a little each time that it is read, so that ids have an order.
#[derive(Debug)]
struct Ticks(AtomicI64);

impl Clock for Ticks {
    fn now(&self) -> Timestamp {
        Timestamp::from_millis(now().as_millis() + self.0.fetch_add(1, Ordering::Relaxed))
    }
}

/// When each test begins.
fn now() -> Timestamp {
    Timestamp::from_millis(1_795_421_734_120)
}

/// One line for each task on an instance; the agent `host` is on the line, others are not.
#[derive(Debug)]
struct Lines(InstanceId);

impl Logs for Lines {
    fn open(
        &self,
        instance: InstanceId,
        task: TaskId,
        container: Option<ContainerName>,
        follow: bool,
        tail: Option<u32>,
    ) -> BoxFuture<'_, Result<BoxStream<'static, Bytes>, String>> {
        let line = format!("web {task} {container:?} {follow} {tail:?}\n");
        let answer = if instance == self.0 {
            Ok(stream::iter([Bytes::from(line)]).boxed())
        } else {
            Err("the instance is away".to_owned())
        };
        Box::pin(async { answer })
    }
}

/// A registry that finds one damaged blob as soon as it looks.
#[derive(Debug, Default)]
struct Rotten(std::sync::Mutex<Option<api::ImageVerification>>);

impl Images for Rotten {
    fn verification(&self) -> Option<api::ImageVerification> {
        self.0.lock().unwrap().clone()
    }

    fn verify(&self) -> BoxFuture<'_, Result<(), String>> {
        let damaged =
            api::DamagedBlob { digest: digest(1), repositories: vec!["hello".parse().unwrap()] };
        *self.0.lock().unwrap() = Some(api::ImageVerification {
            started_at: now(),
            ended_at: Some(now()),
            blobs_count: 2,
            checked_count: 2,
            checked_bytes: 10,
            damaged_count: 1,
            damaged: vec![damaged],
        });
        Box::pin(async { Ok(()) })
    }
}

/// The API on a store with one cluster, one listener, one instance, an administrator and somebody else.
struct World {
    store: Store,
    observed: watch::Sender<Observed>,
    ready: watch::Sender<Readiness>,
    app: axum::Router,
    admin: String,
    other: String,
}

/// What was answered.
#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    text: String,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn ok(self) -> Value {
        assert!(self.status.is_success(), "{} {}", self.status, self.text);
        self.body
    }

    /// It is a problem document of this status and code; gives its detail.
    #[track_caller]
    fn problem(&self, status: u16, code: &str) -> &str {
        assert_eq!(self.status, status, "{}", self.text);
        assert_eq!(self.headers["content-type"], "application/problem+json", "{}", self.text);
        assert_eq!((&self.body["status"], &self.body["code"]), (&status.into(), &code.into()));
        assert_eq!(self.body["type"], "about:blank");
        self.body["detail"].as_str().unwrap()
    }
}

fn id_bytes() -> [u8; 10] {
    rand::random()
}

fn instance_id(n: u8) -> InstanceId {
    InstanceId::new(now(), [n; 10])
}

fn instance(n: u8) -> Instance {
    Instance {
        id: instance_id(n),
        cluster: api::default_cluster(),
        name: format!("host-{n}"),
        status: InstanceStatus::Active,
        capacity: Resources::new(4096, 4096),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::LOCALHOST),
        allowed_address: None,
        subnet: Some(Subnet::new(Ipv4Addr::new(10, 90, n, 0), 24)),
        last_address: 0,
        last_port: 0,
        attributes: std::collections::BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: "1".to_owned(),
        docker_version: "1".to_owned(),
        divides_limits: None,
        registered_at: now(),
    }
}

fn digest(n: u8) -> Digest {
    Digest::Sha256([n; 32])
}

fn credential(name: &str, kind: CredentialKind, expires_at: Option<Timestamp>) -> (String, Change) {
    let secret = ::access::new_secret("berth_pat");
    let credential = Credential {
        id: CredentialId::new(now(), id_bytes()),
        kind,
        principal: Principal::User(name.to_owned()),
        hash: secret.hash,
        created_at: now(),
        expires_at,
        last_use: None,
    };
    (secret.text, AccessChange::CreateCredential(credential).into())
}

impl World {
    async fn new() -> Self {
        Self::on(Store::in_memory()).await
    }

    async fn on(store: Store) -> Self {
        let (admin, make_admin) = credential("admin", CredentialKind::Token, None);
        let (other, make_other) = credential("other", CredentialKind::Token, None);
        let cluster = Cluster {
            id: ClusterId::new(now(), id_bytes()),
            name: api::default_cluster(),
            created_at: now(),
        };
        let listener = Listener {
            id: ListenerId::new(now(), id_bytes()),
            name: "http".to_owned(),
            created_at: now(),
        };
        let changes = vec![
            Change::Install(InstallationId::new(now(), id_bytes())),
            make_admin,
            make_other,
            ClusterChange::Create(cluster).into(),
            RoutingChange::CreateListener(listener).into(),
            InstanceChange::Register(instance(1)).into(),
        ];
        store.apply(changes, now()).await.unwrap();
        let (observed, seen) = watch::channel(Observed::new(now()));
        let (ready, readiness) = watch::channel(Readiness::default());
        let app = router(Admin {
            control: backend::control(
                &store,
                seen,
                readiness.clone(),
                Arc::new(Ticks(AtomicI64::new(1))),
            ),
            logs: Arc::new(Lines(instance_id(1))),
            images: Arc::new(Rotten::default()),
            ready: readiness,
        });
        Self { store, observed, ready, app, admin, other }
    }

    fn state(&self) -> State {
        self.store.state()
    }

    async fn apply(&self, changes: Vec<Change>) {
        self.store.apply(changes, now()).await.unwrap();
    }

    /// What a push of `repository:tag` records.
    async fn push(&self, repository: &str, tag: &str, n: u8, ports: &[u16]) {
        let repository: RepositoryName = repository.parse().unwrap();
        let tag = Tag {
            repository: repository.clone(),
            name: tag.parse().unwrap(),
            digest: digest(n),
            media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
            size_bytes: 1_000,
            platforms: std::iter::once(Platform::new("linux", "amd64")).collect(),
            exposed_ports: ports.iter().copied().collect(),
            pushed_at: now(),
            pushed_by: "user/admin".to_owned(),
        };
        let repository = Repository { name: repository, created_at: now() };
        self.apply(vec![
            RepositoryChange::Create(repository).into(),
            RepositoryChange::PutTag(tag).into(),
        ])
        .await;
    }

    async fn send(&self, request: Request<Body>) -> Answer {
        let (parts, body) = self.app.clone().oneshot(request).await.unwrap().into_parts();
        let bytes = body.collect().await.unwrap().to_bytes();
        Answer {
            status: parts.status,
            headers: parts.headers,
            text: String::from_utf8_lossy(&bytes).into_owned(),
            body: serde_json::from_slice(&bytes).unwrap_or_default(),
        }
    }

    /// Asks as the administrator.
    async fn ask(&self, method: &str, path: &str, body: impl Into<Body>) -> Answer {
        let method: Method = method.parse().unwrap();
        let token = format!("Bearer {}", self.admin);
        let path = format!("/api/v1{path}");
        let request = Request::builder().method(method).uri(path).header("authorization", token);
        self.send(request.body(body.into()).unwrap()).await
    }

    async fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, Body::empty()).await
    }

    async fn post(&self, path: &str, body: Value) -> Answer {
        self.ask("POST", path, body.to_string()).await
    }

    async fn patch(&self, path: &str, body: Value) -> Answer {
        self.ask("PATCH", path, body.to_string()).await
    }

    async fn delete(&self, path: &str) -> Answer {
        self.ask("DELETE", path, Body::empty()).await
    }

    /// A service `hello` of two tasks, deployed and complete.
    async fn with_hello() -> Self {
        let world = Self::new().await;
        world.push("hello", "latest", 1, &[8080]).await;
        world.post("/deploy", json!({"name": "hello", "desiredCount": 2})).await.ok();
        world.complete("hello").await;
        world
    }

    fn service(&self, name: &str) -> Service {
        let cluster = api::default_cluster();
        self.state().service_named(&cluster, &name.parse().unwrap()).unwrap().clone()
    }

    /// The deployment that counts is done.
    /// The revision of a service that was asked for last.
    fn revision(&self, name: &str) -> ServiceRevision {
        let (state, service) = (self.state(), self.service(name));
        state.requested_revision(&service).expect("each service has one").clone()
    }

    async fn complete(&self, name: &str) {
        let deployment = self.service(name).deployment.unwrap();
        self.apply(vec![DeploymentChange::Complete(deployment).into()]).await;
    }

    /// A task of the service that runs on an instance.
    async fn running_task(&self, service: &str, on: u8, n: u8) -> TaskId {
        let service = self.service(service);
        let state = self.state();
        let deployment = state.deployment(service.deployment.unwrap()).unwrap();
        let revision = state.service_revision(deployment.revision).unwrap();
        let definition = state.task_definition(&revision.task_definition).unwrap();
        let container = &definition.container_definitions[0];
        let task = NewTask {
            service: service.deployment.map(|deployment| (service.id, deployment)),
            started_by: "deployment".to_owned(),
            resources: definition.resources(),
            placement: Some(Placement {
                instance: instance_id(on),
                address: Ipv4Addr::new(10, 90, on, 10 + n),
                ports: vec![PortBinding {
                    container: container.name.clone(),
                    container_port: 8080,
                    protocol: TransportProtocol::Tcp,
                    host_port: 20_000 + u16::from(n),
                }],
            }),
            images: vec![(container.name.clone(), revision.images[&container.name].clone())],
            ..NewTask::new(
                TaskId::new(now(), [n; 10]),
                service.cluster.clone(),
                definition.key(),
                now(),
            )
        };
        let id = task.id;
        self.apply(vec![
            TaskChange::Create(task).into(),
            report(id, on, TaskStatus::Running, None),
        ])
        .await;
        id
    }
}

fn report(task: TaskId, on: u8, status: TaskStatus, seen: Option<TaskContainer>) -> Change {
    TaskChange::Report(change::TaskReport {
        instance: instance_id(on),
        task,
        status,
        stopped: None,
        containers: seen.into_iter().collect(),
    })
    .into()
}
