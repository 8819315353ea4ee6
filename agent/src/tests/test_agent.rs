//! An agent's loop between a server that the test plays and a Docker Engine, the real one or one that the test plays.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use link::message::{Agent, AgentReport, Hello, SeenTask, Stamped};
use model::{
    AgentView, AssignedTask, Clock, Epoch, InstallationId, InstanceId, InstanceView, StateRevision,
    Subnet, TaskId, Timestamp,
};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::http;
use crate::Config;
use crate::cgroup::Cgroups;
use crate::disk_limit::{DiskLimit, docker_bounds};
use crate::docker::{Engine, Executor, pull_limit};
use crate::host_info::{self, HostInfo};
use crate::log_store::LogStore;
use crate::mirror::Mirror;
use crate::owner::Owner;
use crate::reconciler::Reconciler;

const DEADLINE: Duration = Duration::from_mins(1);

/// The host's clock.
#[derive(Debug)]
struct WallClock;

impl Clock for WallClock {
    #[expect(clippy::disallowed_methods, reason = "Docker's own times are compared with it")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        Timestamp::EPOCH.plus(since.unwrap_or_default())
    }
}

/// An agent that works.
pub(crate) struct TestAgent {
    pub(crate) engine: Engine,
    pub(crate) requests: mpsc::Sender<link::message::StreamRequest>,
    view: watch::Sender<Option<Stamped<AgentView>>>,
    report: watch::Receiver<AgentReport>,
    pub(crate) hello: watch::Receiver<Hello>,
    pub(crate) ready: watch::Receiver<bool>,
    stop: CancellationToken,
    working: JoinHandle<()>,
    _logs: tempfile::TempDir,
    _lock: disk::Lock,
}

/// MiB that containers of tests may write.
const CONTAINER_DISK: u64 = 32;

fn disk_limit(storage_driver: &str, docker_dir: Option<&str>) -> DiskLimit {
    DiskLimit {
        mebibytes: CONTAINER_DISK,
        is_held_by_docker: docker_bounds(storage_driver, docker_dir),
        measured_every: Duration::from_secs(1),
    }
}

/// A new installation and instance.
pub(crate) fn somebody() -> Owner {
    let now = WallClock.now();
    Owner {
        installation: InstallationId::new(now, rand::random()),
        instance: InstanceId::new(now, rand::random()),
    }
}

/// A new task's id.
pub(crate) fn new_task() -> TaskId {
    TaskId::new(WallClock.now(), rand::random())
}

impl TestAgent {
    /// Starts an agent that sees this view, beside a server at `base`.
    pub(crate) async fn start(
        owner: Owner,
        docker: Option<&str>,
        base: String,
        view: AgentView,
    ) -> Self {
        let logs = tempfile::tempdir().unwrap();
        let lock = disk::Lock::acquire(&logs.path().join("lock")).unwrap().unwrap();
        let (engine, about) =
            Engine::connect(docker).await.expect("these tests need a Docker Engine");
        let config = Config {
            dir: std::path::PathBuf::new(),
            lock: logs.path().join("lock"),
            server: "127.0.0.1:1".to_owned(),
            join_token: None,
            name: "test".to_owned(),
            version: "0".to_owned(),
            docker_host: None,
            cpu: None,
            memory: None,
            container_disk: CONTAINER_DISK,
            advertised_address: None,
            mirror_listen: None,
        };
        let setup = engine.setup().await.unwrap_or_default();
        let cgroups = Cgroups::detect(&setup.cgroup_driver, &setup.cgroup_version).await;
        let host = HostInfo::read(&config, None, setup.root_dir).await.unwrap();
        let networks = engine.networks().await.unwrap();
        let used = host_info::used_subnets(&networks, Some(owner.instance));
        let (hello, heard) = watch::channel(host.hello(&about, used));
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let http = http(base);
        let mirror = Mirror::serve(listener, http.clone(), stop.clone()).unwrap();
        let (view_end, seen) = watch::channel(None);
        let (report, reported) = watch::channel(AgentReport::default());
        let (requests, streams) = mpsc::channel(4);
        let session: link::client::Session<Agent> = link::client::Session {
            id: owner.instance.to_string(),
            view: seen,
            report,
            connected: watch::channel(true).1,
            streams,
            http,
        };
        let executor = Executor {
            engine: engine.clone(),
            owner,
            mirror,
            platform: about.platform,
            pulls: pull_limit(),
            logs: Arc::new(LogStore::new(logs.path())),
            cgroups: Arc::new(cgroups.unwrap_or(Cgroups::Absent)),
            host_memory: host_info::total_memory(),
            disk_limit: disk_limit(&setup.storage_driver, host.docker_dir.as_deref()),
        };
        let (ready, is_ready) = watch::channel(false);
        let reconciler =
            Reconciler::new(executor, Arc::new(WallClock), session, view, host, hello, ready);
        let working = tokio::spawn(reconciler.run(stop.clone()));
        Self {
            engine,
            requests,
            view: view_end,
            report: reported,
            hello: heard,
            ready: is_ready,
            stop,
            working,
            _logs: logs,
            _lock: lock,
        }
    }

    /// The server wants this from now on.
    pub(crate) fn set_view(&self, view: AgentView) {
        let revision = self.view.borrow().as_ref().map_or(1, |last| last.revision.0 + 1);
        let stamped = Stamped { epoch: Epoch(1), revision: StateRevision(revision), view };
        self.view.send_replace(Some(stamped));
    }

    /// Waits until the agent reports of a task what `is` picks.
    pub(crate) async fn until(
        &self,
        what: &str,
        task: TaskId,
        is: impl Fn(&SeenTask) -> bool,
    ) -> SeenTask {
        let picked = |report: &AgentReport| {
            report.tasks.iter().find(|seen| seen.task == task && is(seen)).cloned()
        };
        self.until_report(what, picked).await
    }

    /// Waits until the agent's report is as it should be.
    pub(crate) async fn until_report<T>(
        &self,
        what: &str,
        is: impl Fn(&AgentReport) -> Option<T>,
    ) -> T {
        let found = Mutex::new(None);
        let mut report = self.report.clone();
        let waiting = report.wait_for(|report| {
            let picked = is(report);
            let is_there = picked.is_some();
            *found.lock().unwrap() = picked;
            is_there
        });
        let waited = tokio::time::timeout(DEADLINE, waiting).await;
        let is_there = matches!(waited, Ok(Ok(_)));
        drop(waited);
        assert!(is_there, "{what}: not within {DEADLINE:?}: {:?}", self.report.borrow());
        found.into_inner().unwrap().unwrap()
    }

    /// Ends the agent in good order.
    pub(crate) async fn end(self) {
        self.stop.cancel();
        self.working.await.unwrap();
    }

    /// Ends it as a crash would.
    pub(crate) async fn crash(self) {
        self.working.abort();
        self.working.await.unwrap_err();
    }
}

/// A view of these tasks.
pub(crate) fn view(owner: &Owner, subnet: Subnet, tasks: &[AssignedTask]) -> AgentView {
    let instance = InstanceView {
        installation: owner.installation,
        id: owner.instance,
        subnet: Some(subnet),
        advertised_address: std::net::Ipv4Addr::LOCALHOST.into(),
    };
    AgentView {
        instances: [(instance.id, instance)].into(),
        tasks: tasks.iter().map(|task| (task.id, task.clone())).collect(),
    }
}
