//! A router with its link cut off: tests are the control plane.

use std::net::SocketAddr;
use std::path::Path;

use ipnet::IpNet;
use link::message::{RouterReport, SeenTarget, Stamped};
use model::observed::TargetHealth;
use model::view::{TargetGroupView, TargetView};
use model::{
    Action, Conditions, Epoch, HealthCheck, ListenerId, RouterView, Rule, RuleId, StateRevision,
    TargetGroupId, TaskId, Timestamp,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::client::{Answer, send};
use super::within::within;
use crate::generation::Generation;
use crate::listen::Entrance;
use crate::serve::{self, LinkChannels};

/// A router, and the test's end of its link.
#[derive(Debug)]
pub(super) struct World {
    pub(super) address: SocketAddr,
    pub(super) ready: watch::Receiver<bool>,
    views: watch::Sender<Option<Stamped<RouterView>>>,
    reports: watch::Receiver<RouterReport>,
    pub(super) generation: Generation,
    running: AbortOnDropHandle<()>,
    revision: u64,
}

impl World {
    /// Starts a router on a directory.
    pub(super) async fn start(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Self::after(dir, listener.into_std().unwrap());
        world.generation.alone.cancel();
        world
    }

    /// Starts one that sends everything through pingora's proxy.
    pub(super) async fn start_without_lean(dir: &Path) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Self::with(dir, listener.into_std().unwrap(), false, &[]);
        world.generation.alone.cancel();
        world
    }

    /// Starts one behind proxies whose word counts.
    pub(super) async fn start_behind(dir: &Path, lean: bool, proxies: &[IpNet]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let world = Self::with(dir, listener.into_std().unwrap(), lean, proxies);
        world.generation.alone.cancel();
        world
    }

    /// Starts a router on a directory and a listener that another has let go, but may still have requests in flight.
    pub(super) fn after(dir: &Path, listener: std::net::TcpListener) -> Self {
        Self::with(dir, listener, true, &[])
    }

    fn with(dir: &Path, listener: std::net::TcpListener, lean: bool, trusted: &[IpNet]) -> Self {
        listener.set_nonblocking(true).unwrap();
        let listener = TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let (views, view) = watch::channel(None);
        let (report, reports) = watch::channel(RouterReport::default());
        let (ready_end, ready) = watch::channel(false);
        let generation = Generation::default();
        let here = link::host::identity().unwrap();
        let channels = LinkChannels { view, report };
        let (dir, own) = (dir.to_owned(), generation.clone());
        let entrance = Entrance { listener, lean, trusted: trusted.into() };
        let running = async move {
            let closing = own.closing();
            serve::run(dir, entrance, here, channels, ready_end, closing, &own).await;
        };
        let running = AbortOnDropHandle::new(tokio::spawn(running));
        Self { address, ready, views, reports, generation, running, revision: 0 }
    }

    /// Sends a view, and waits until it is applied.
    pub(super) async fn show(&mut self, view: RouterView) {
        let stamp = self.send(view);
        self.until("the view to be applied", |report| report.applied == Some(stamp)).await;
    }

    /// Sends a view.
    pub(super) fn send(&mut self, view: RouterView) -> (Epoch, StateRevision) {
        self.revision += 1;
        let (epoch, revision) = (Epoch(1), StateRevision(self.revision));
        self.views.send_replace(Some(Stamped { epoch, revision, view }));
        (epoch, revision)
    }

    /// Sends a view, and waits until these tasks are healthy.
    pub(super) async fn show_healthy(&mut self, view: RouterView, tasks: &[TaskId]) {
        self.show(view).await;
        for id in tasks {
            self.until("a target to be healthy", |report| {
                seen(report, *id).is_some_and(|seen| seen.seen.health == TargetHealth::Healthy)
            })
            .await;
        }
    }

    /// Waits for a report.
    pub(super) async fn until(&mut self, what: &str, hold: impl Fn(&RouterReport) -> bool) {
        within(what, self.reports.wait_for(hold)).await.unwrap();
    }

    /// What was reported last of a task.
    pub(super) fn seen(&self, id: TaskId) -> Option<SeenTarget> {
        seen(&self.reports.borrow(), id).cloned()
    }

    /// The last report.
    pub(super) fn report(&self) -> RouterReport {
        self.reports.borrow().clone()
    }

    /// GET over a connection of its own.
    pub(super) async fn get(&self, host: &str, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        send(self.address, request).await.expect("an answer")
    }

    /// POST over a connection of its own.
    pub(super) async fn post(&self, host: &str, path: &str, body: &str) -> Answer {
        let length = body.len();
        let head = format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: {length}\r\n");
        let request = format!("{head}Connection: close\r\n\r\n{body}");
        send(self.address, request).await.expect("an answer")
    }

    /// Begins to end it.
    pub(super) fn begin_end(&self) {
        self.generation.ended.cancel();
    }

    /// Waits until it has ended by itself.
    pub(super) async fn ended(self) {
        within("the end of the router", self.running).await.unwrap();
    }

    /// Ends it.
    pub(super) async fn stop(self) {
        self.generation.ended.cancel();
        within("the end of the router", self.running).await.unwrap();
    }
}

fn seen(report: &RouterReport, id: TaskId) -> Option<&SeenTarget> {
    report.targets.iter().find(|seen| seen.task == id)
}

/// A task.
pub(super) fn task(number: u64) -> TaskId {
    TaskId::new(Timestamp::from_millis(i64::try_from(number).unwrap()), [7; 10])
}

/// A target on this host.
pub(super) fn target(id: TaskId, address: SocketAddr) -> TargetView {
    TargetView {
        task: id,
        direct: address,
        published: None,
        host: link::host::identity().unwrap(),
        draining: false,
        health_check: None,
    }
}

/// A target group with its targets.
#[derive(Debug, Clone)]
pub(super) struct Group {
    pub(super) group: TargetGroupView,
    targets: Vec<TargetView>,
}

/// A group that expects targets. Its checks come quickly until the first pass, and hardly ever after it.
pub(super) fn group(number: u64, targets: Vec<TargetView>) -> Group {
    let group = TargetGroupView {
        id: group_id(number),
        name: format!("group-{number}").parse().unwrap(),
        health_check: HealthCheck {
            path: "/health".to_owned(),
            interval_seconds: 300,
            ..HealthCheck::default()
        },
        expects_targets: true,
    };
    Group { group, targets }
}

/// The id of the group of this number.
pub(super) fn group_id(number: u64) -> TargetGroupId {
    TargetGroupId::new(Timestamp::from_millis(i64::try_from(number).unwrap()), [3; 10])
}

/// A view in which each host leads to the group of its place.
pub(super) fn forward(hosts: &[&str], groups: Vec<Group>) -> RouterView {
    let mut view = RouterView::default();
    for (number, (host, group)) in hosts.iter().zip(&groups).enumerate() {
        let action = Action::Forward { target_group: group.group.id };
        add(&mut view, rule(number, host, "/", action));
    }
    for Group { group, targets } in groups {
        view.targets.extend(targets.into_iter().map(|target| ((group.id, target.task), target)));
        view.target_groups.insert(group.id, group);
    }
    view
}

/// Adds a rule to a view.
pub(super) fn add(view: &mut RouterView, rule: Rule) {
    view.rules.insert(rule.id, rule);
}

/// The view with this task's targets draining.
pub(super) fn draining(mut view: RouterView, id: TaskId) -> RouterView {
    let targets = view.targets.values_mut().filter(|target| target.task == id);
    targets.for_each(|target| target.draining = true);
    view
}

/// A rule for a host and a path.
pub(super) fn rule(number: usize, host: &str, path: &str, action: Action) -> Rule {
    let at = Timestamp::from_millis(i64::try_from(number).unwrap());
    Rule {
        id: RuleId::new(at, [1; 10]),
        listener: ListenerId::new(Timestamp::EPOCH, [2; 10]),
        priority: None,
        conditions: Conditions::host_and_path(host, path),
        action,
        service: None,
        created_at: at,
    }
}
