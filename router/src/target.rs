//! A target as a router has it: one task's port in one group. Its identity is group and task, never its address, which
//! may have belonged to another before.
//!
//! A request enters a target and leaves it by a guard, so what is in flight is exact whatever becomes of the request. Once
//! a target drains nobody enters any more: entering counts first and looks then, draining marks first and counts then, so
//! whoever sees zero after the mark has seen the last one leave.

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

use crate::standing::{Standing, Use};

/// How long a connection to the same host may take to open: the address of a dead container does not refuse.
const NEAR: Duration = Duration::from_millis(250);
/// The same for other hosts.
const FAR: Duration = Duration::from_secs(1);

/// A target as a router has it.
#[derive(Debug)]
pub(crate) struct Target {
    group: TargetGroupId,
    task: TaskId,
    addresses: ArcSwap<Addresses>,
    /// Whether the last check passed at the published address and not at the direct one.
    by_published: AtomicBool,
    standing: Mutex<Standing>,
    draining: AtomicBool,
    /// Whether the copy on disk has it draining or not at all.
    let_go: AtomicBool,
    in_flight: AtomicU32,
    /// Tells its pooled connections from those of any other, and from its own older ones that must not be used again.
    pool: AtomicU64,
    changed: Arc<Notify>,
    /// Its next check should come now.
    hurry: Notify,
    /// It has left the table.
    gone: CancellationToken,
}

/// Where a target can be reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Its own address, if the router is on the same host.
    direct: Option<SocketAddr>,
    /// Its published address.
    published: Option<SocketAddr>,
}

/// One way to a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    /// The address.
    pub(crate) address: SocketAddr,
    /// How long a connection may take to open.
    pub(crate) patience: Duration,
    /// Whether it is the published one.
    published: bool,
}

impl Addresses {
    /// Those that a router on `here` may use.
    pub(crate) fn of(view: &TargetView, here: &HostIdentity) -> Self {
        let is_near = view.host == *here;
        Self { direct: is_near.then_some(view.direct), published: view.published }
    }

    /// The ways to it, best first.
    pub(crate) fn ways(&self) -> impl Iterator<Item = Way> {
        let patience = if self.direct.is_some() { NEAR } else { FAR };
        let direct = self.direct.map(|address| Way { address, patience, published: false });
        let published = self.published.map(|address| Way { address, patience, published: true });
        direct.into_iter().chain(published)
    }
}

/// A request that is at a target; ends when it is dropped.
#[derive(Debug)]
pub(crate) struct InFlight {
    target: Arc<Target>,
}

impl Target {
    /// From its view. `changed` is told what the control plane should hear.
    pub(crate) fn new(
        group: TargetGroupId,
        view: &TargetView,
        here: &HostIdentity,
        standing: Standing,
        changed: Arc<Notify>,
    ) -> Self {
        Self {
            group,
            task: view.task,
            addresses: ArcSwap::from_pointee(Addresses::of(view, here)),
            by_published: AtomicBool::new(false),
            standing: Mutex::new(standing),
            draining: AtomicBool::new(view.draining),
            let_go: AtomicBool::new(false),
            in_flight: AtomicU32::new(0),
            pool: AtomicU64::new(next_pool()),
            changed,
            hurry: Notify::new(),
            gone: CancellationToken::new(),
        }
    }

    /// The task.
    pub(crate) fn task(&self) -> TaskId {
        self.task
    }

    /// Takes what may change in a view of the same target.
    pub(crate) fn update(&self, view: &TargetView, here: &HostIdentity) {
        let addresses = Addresses::of(view, here);
        if **self.addresses.load() != addresses {
            self.addresses.store(Arc::new(addresses));
            self.hurry.notify_one();
        }
        if view.draining {
            self.drain();
        }
    }

    /// No request enters from now on.
    pub(crate) fn drain(&self) {
        self.draining.store(true, Ordering::SeqCst);
    }

    /// Whether it drains.
    pub(crate) fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    /// It has left the table: no request enters, and its checks end.
    pub(crate) fn leave(&self) {
        self.drain();
        self.gone.cancel();
    }

    /// The copy on disk agrees with what is served.
    pub(crate) fn kept(&self) {
        if self.is_draining() {
            self.let_go.store(true, Ordering::SeqCst);
        }
    }

    /// Ends when it has left the table.
    pub(crate) async fn gone(&self) {
        self.gone.cancelled().await;
    }

    /// Ends when its next check should not wait any longer.
    pub(crate) async fn hurried(&self) {
        self.hurry.notified().await;
    }

    /// Where to send requests; the published address only where the direct one does not pass its checks.
    pub(crate) fn way(&self) -> Option<Way> {
        let addresses = **self.addresses.load();
        let by_published = self.by_published.load(Ordering::Relaxed);
        let preferred = addresses.ways().find(|way| way.published == by_published);
        preferred.or_else(|| addresses.ways().next())
    }

    /// All ways to it, best first.
    pub(crate) fn addresses(&self) -> Addresses {
        **self.addresses.load()
    }

    /// What keys its pooled connections.
    pub(crate) fn pool(&self) -> u64 {
        self.pool.load(Ordering::Relaxed)
    }

    /// Whether it gets requests.
    pub(crate) fn usable(&self) -> Use {
        if self.is_draining() {
            Use::Never
        } else {
            self.with_standing(|standing| standing.usable())
        }
    }

    /// Lets a request in, unless it drains.
    pub(crate) fn enter(self: &Arc<Self>) -> Option<InFlight> {
        self.in_flight.fetch_add(1, Ordering::SeqCst);
        let guard = InFlight { target: Arc::clone(self) };
        (!self.is_draining()).then_some(guard)
    }

    /// How many requests are at it.
    pub(crate) fn in_flight(&self) -> u32 {
        self.in_flight.load(Ordering::SeqCst)
    }

    /// Notes the outcome of a check. Whether it gets requests may have changed if it says so.
    pub(crate) fn checked(&self, outcome: Result<Way, String>, check: &HealthCheck) -> bool {
        if let Ok(way) = &outcome {
            self.by_published.store(way.published, Ordering::Relaxed);
        }
        let (before, after) = self.with_standing(|standing| {
            let before = (standing.usable(), standing.seen(check));
            match outcome {
                Ok(_) => standing.passed(check),
                Err(reason) => standing.failed(reason, check),
            }
            (before, (standing.usable(), standing.seen(check)))
        });
        if before.1 != after.1 {
            self.changed.notify_one();
            let (health, reason) = &after.1;
            tracing::info!(task.id = %self.task, reason, "task `{}` is {health:?} here", self.task);
        }
        before.0 != after.0
    }

    /// How long to wait before its next check.
    pub(crate) fn wait(&self, check: &HealthCheck) -> Duration {
        self.with_standing(|standing| standing.wait(check))
    }

    /// No connection to it opened: no requests until its next passed check. Whether it got any before.
    pub(crate) fn take_out(&self) -> bool {
        let was_in = self.with_standing(Standing::take_out);
        if was_in {
            // What is pooled leads to something that is no longer there.
            self.pool.store(next_pool(), Ordering::Relaxed);
            self.hurry.notify_one();
        }
        was_in
    }

    /// What the control plane is told of it.
    pub(crate) fn seen(&self, check: &HealthCheck) -> SeenTarget {
        // In this order: whoever reports that it was let go has to count after that.
        let draining = self.let_go.load(Ordering::SeqCst);
        let in_flight = self.in_flight();
        let (health, reason) = self.with_standing(|standing| standing.seen(check));
        let seen = TargetSeen { health, reason, draining, in_flight };
        SeenTarget { target_group: self.group, task: self.task, seen }
    }

    fn with_standing<T>(&self, act: impl FnOnce(&mut Standing) -> T) -> T {
        act(&mut self.standing.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl InFlight {
    /// Where it is.
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
