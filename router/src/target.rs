//! A target as this router holds it: one task's port in one group. It is identified by group and task, never by its
//! address, which may have belonged to another task before.
//!
//! A guard counts each request in flight, so the count is exact however the request ends. No request begins on a target
//! that drains: `enter` counts first and checks the mark then, `drain` marks first and the count is read then, so a count
//! of zero that is read after the mark is final.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arc_swap::ArcSwap;
use link::message::SeenTarget;
use model::observed::TargetSeen;
use model::view::TargetView;
use model::{HealthCheck, HostIdentity, TargetGroupId, TaskId};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::health_state::{Eligibility, Failed, HealthState, Seen};

/// How long a connection to the same host may take to open: the address of a dead container does not refuse.
const SAME_HOST_CONNECT_TIMEOUT: Duration = Duration::from_millis(250);
/// The same for other hosts.
const OTHER_HOST_CONNECT_TIMEOUT: Duration = Duration::from_secs(1);

/// A target as this router holds it.
#[derive(Debug)]
pub(crate) struct Target {
    group: TargetGroupId,
    task: TaskId,
    addresses: ArcSwap<Addresses>,
    /// How it is checked.
    check: ArcSwap<HealthCheck>,
    /// Whether the last check passed at the published address and not at the direct one.
    by_published: AtomicBool,
    health_state: Mutex<HealthState>,
    draining: AtomicBool,
    /// Whether the table on disk has it draining or no longer has it.
    drain_persisted: AtomicBool,
    in_flight: AtomicU32,
    /// Keys its pooled connections, apart from those of every other target and from its own that must not be reused.
    pool: AtomicU64,
    changed: Arc<Notify>,
    /// Wakes its check loop for a check at once.
    recheck: Notify,
    /// It was removed from the table.
    removed: CancellationToken,
}

/// Where a target can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Its own address, if the router is on the same host.
    direct: Option<SocketAddr>,
    /// Its published address.
    published: Option<SocketAddr>,
}

/// One address of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Endpoint {
    /// The address.
    pub(crate) address: SocketAddr,
    /// How long a connection may take to open.
    pub(crate) connect_timeout: Duration,
    /// Whether it is the published one.
    published: bool,
}

impl Addresses {
    /// Those that a router on `here` may use.
    pub(crate) fn of(view: &TargetView, here: &HostIdentity) -> Self {
        let is_near = view.host == *here;
        Self { direct: is_near.then_some(view.direct), published: view.published }
    }

    /// Where it can be reached, best first.
    pub(crate) fn endpoints(&self) -> impl Iterator<Item = Endpoint> {
        let connect_timeout = if self.direct.is_some() {
            SAME_HOST_CONNECT_TIMEOUT
        } else {
            OTHER_HOST_CONNECT_TIMEOUT
        };
        let direct =
            self.direct.map(|address| Endpoint { address, connect_timeout, published: false });
        let published =
            self.published.map(|address| Endpoint { address, connect_timeout, published: true });
        direct.into_iter().chain(published)
    }
}

impl Endpoint {
    /// The same at another port of the target; None at a published address, where the port is the host's.
    pub(crate) fn at_port(self, port: u16) -> Option<Self> {
        let address = SocketAddr::new(self.address.ip(), port);
        (!self.published).then_some(Self { address, ..self })
    }
}

/// Counts one request in flight until it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    target: Arc<Target>,
}

impl Target {
    /// From its row in the table. `changed` is notified when there is something new to report.
    pub(crate) fn new(
        group: TargetGroupId,
        view: &TargetView,
        check: HealthCheck,
        here: &HostIdentity,
        health_state: HealthState,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            group,
            task: view.task,
            addresses: ArcSwap::from_pointee(Addresses::of(view, here)),
            check: ArcSwap::from_pointee(check),
            by_published: AtomicBool::new(false),
            health_state: Mutex::new(health_state),
            draining: AtomicBool::new(view.draining),
            drain_persisted: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            pool: AtomicU64::new(next_pool()),
            changed,
            recheck: Notify::new(),
            removed: CancellationToken::new(),
        }
    }

    /// The task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// How it is checked.
    pub(crate) fn check(&self) -> Arc<HealthCheck> {
        self.check.load_full()
    }

    /// Takes over what may change in the row of the same target. Another check changes nothing of what is known of it.
    pub(crate) fn update(&self, view: &TargetView, check: HealthCheck, here: &HostIdentity) {
        if **self.check.load() != check {
            self.check.store(Arc::new(check));
            self.recheck.notify_one();
        }
        let addresses = Addresses::of(view, here);
        if **self.addresses.load() != addresses {
            self.addresses.store(Arc::new(addresses));
            self.recheck.notify_one();
        }
        if view.draining {
            self.drain();
        }
    }

    /// No request begins on it from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether it drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// It was removed from the table: no request begins on it, and its checks end.
    pub(crate) fn remove(&self) {
        self.drain();
        self.removed.cancel();
    }

    /// The table on disk agrees with the one that is served.
    pub(crate) fn persisted(&self) {
        if self.is_draining() {
            self.drain_persisted.store(true, Ordering::SeqCst);
        }
    }

    /// Returns when it was removed from the table.
    pub(crate) async fn removed(&self) {
        self.removed.cancelled().await;
    }

    /// Returns when its next check should run at once.
    pub(crate) async fn recheck_requested(&self) {
        self.recheck.notified().await;
    }

    /// Where to send requests; the published address only where the direct one does not pass its checks.
    pub(crate) fn endpoint(&self) -> Option<Endpoint> {
        let addresses = **self.addresses.load();
        let by_published = self.by_published.load(Ordering::Relaxed);
        let preferred = addresses.endpoints().find(|endpoint| endpoint.published == by_published);
        preferred.or_else(|| addresses.endpoints().next())
    }

    /// All its addresses.
    pub(crate) fn addresses(&self) -> Addresses {
        **self.addresses.load()
    }

    /// What keys its pooled connections.
    pub(crate) fn pool(&self) -> u64 {
        self.pool.load(Ordering::Relaxed)
    }

    /// Whether it gets requests.
    pub(crate) fn eligibility(&self) -> Eligibility {
        if self.is_draining() {
            Eligibility::Ineligible
        } else {
            self.with_health_state(|health_state| health_state.eligibility())
        }
    }

    /// Counts a request in, unless the target drains.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlight { target: Arc::clone(self) };
        (!self.is_draining()).then_some(guard)
    }

    /// How many requests are in flight.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Records the outcome of a check. Returns whether it changed what requests may hope for.
    pub(crate) fn checked(&self, outcome: Result<Endpoint, Failed>) -> bool {
        let check = &*self.check();
        if let Ok(endpoint) = &outcome {
            self.by_published.store(endpoint.published, Ordering::Relaxed);
        }
        let (before, after) = self.with_health_state(|health_state| {
            let hope = |state: &HealthState| (state.eligibility(), state.is_undecided(check));
            let before = (hope(health_state), health_state.seen(check));
            match outcome {
                Ok(_) => health_state.passed(check),
                Err(failed) => health_state.failed(failed, check),
            }
            (before, (hope(health_state), health_state.seen(check)))
        });
        if before.1 != after.1 {
            self.changed.notify_one();
            let Seen { health, failed } = &after.1;
            let reason = failed.as_ref().map(|failed| &failed.reason);
            tracing::info!(task.id = %self.task, reason, "task `{}` is {health:?} here", self.task);
        }
        before.0 != after.0
    }

    /// How long to wait before its next check.
    pub(crate) fn wait(&self) -> Duration {
        let check = self.check();
        self.with_health_state(|health_state| health_state.wait(&check))
    }

    /// Whether it may get requests before long: its checks have not had their time yet.
    pub(crate) fn is_undecided(&self) -> bool {
        let check = self.check();
        !self.is_draining()
            && self.with_health_state(|health_state| health_state.is_undecided(&check))
    }

    /// A connection to it did not open: no requests until its next passed check. Returns whether it was eligible.
    pub(crate) fn eject(&self) -> bool {
        let was_eligible = self.with_health_state(HealthState::eject);
        if was_eligible {
            // Pooled connections lead to what no longer answers.
            self.pool.store(next_pool(), Ordering::Relaxed);
            self.recheck.notify_one();
        }
        was_eligible
    }

    /// What is reported of it.
    pub(crate) fn seen(&self) -> SeenTarget {
        let check = self.check();
        // In this order: the count is final only if it is read after the mark.
        let draining = self.drain_persisted.load(Ordering::SeqCst);
        let in_flight = self.in_flight();
        let Seen { health, failed } =
            self.with_health_state(|health_state| health_state.seen(&check));
        let failure = failed.as_ref().map(|failed| failed.failure);
        let reason = failed.map(|failed| failed.reason);
        let seen = TargetSeen { health, reason, failure, draining, in_flight };
        SeenTarget { target_group: self.group, task: self.task, seen }
    }

    fn with_health_state<T>(&self, act: impl FnOnce(&mut HealthState) -> T) -> T {
        act(&mut self.health_state.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InFlight {
    /// The target.
    pub(crate) fn target(&self) -> &Arc<Target> {
        &self.target
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        let before = self.target.in_flight.fetch_sub(1, Ordering::SeqCst);
        if before == 1 && self.target.is_draining() {
            self.target.changed.notify_one();
        }
    }
}

fn next_pool() -> u64 {
    static NUMBER: AtomicU64 = AtomicU64::new(1);
    NUMBER.fetch_add(1, Ordering::Relaxed)
}
