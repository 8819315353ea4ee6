//! The agent's one loop: it waits for an input, applies it without waiting, and then starts what is due. Calls of Docker and
//! the server run as jobs beside it, so that a container or an engine that hangs holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use link::client::Session;
use link::message::{Agent, AgentReport, Hello, SeenTask, Stream, StreamRequest};
use model::{AgentView, Clock, ContainerId, ContainerName, Subnet, TaskId, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::docker::{EngineInfo, Event, Executor, Inspection, Listed, Measured, Networks};
use crate::error::{DockerError, NetworkError, OpError};
use crate::host_info::HostInfo;
use crate::image_gc::ImageGc;
use crate::logs;
use crate::op::{Done, Network, Op};
use crate::report;
use crate::sentences;
use crate::task_runner::TaskRunner;
use crate::task_state::ContainerState;

mod host;
mod poll;

use poll::{IMAGE_GC_INTERVAL, NetworkState, Poll};

/// How often all containers and networks are listed, independently of events.
const RESYNC_INTERVAL: Duration = Duration::from_secs(30);
const EVENTS: usize = 256;
/// The longest sleep, so that a clock that is set meanwhile does not put off what is due.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// An input of the loop.
#[derive(Debug)]
enum Input {
    /// There is a new view, or its stamp has advanced.
    View,
    /// An event of Docker.
    Event(Event),
    /// The server requests a stream.
    Stream(StreamRequest),
    /// An Op has ended.
    Op { task: TaskId, number: u64, result: Result<Done, OpError> },
    /// An inspection has ended.
    Inspected {
        task: TaskId,
        container: ContainerName,
        changes: u64,
        inspection: Result<Inspection, DockerError>,
    },
    /// The list of containers.
    List(Result<Vec<Listed>, DockerError>),
    /// The instance's network was created or checked with this subnet.
    Network(Subnet, Result<(), NetworkError>),
    /// The names of all images that were pulled through the mirror.
    Pulled(Result<Vec<String>, DockerError>),
    /// What the host and its containers use.
    Measured(Measured),
    /// What containers have written in their own file systems, in bytes.
    Written(Vec<(TaskId, ContainerId, u64)>),
    /// Facts for the greeting.
    Facts(Result<(EngineInfo, Networks), DockerError>),
    /// A resync is due.
    Tick,
    /// Nothing to apply.
    Nothing,
}

/// The loop and its state.
pub(crate) struct Reconciler {
    executor: Executor,
    clock: Arc<dyn Clock>,
    host: HostInfo,
    hello: watch::Sender<Hello>,
    ready: watch::Sender<bool>,
    session: Session<Agent>,
    view: AgentView,
    tasks: BTreeMap<TaskId, TaskRunner>,
    orphans: BTreeSet<TaskId>,
    /// Tasks without containers that left the view since the list in flight was requested: it may still show containers of
    /// theirs.
    forgotten: BTreeSet<TaskId>,
    is_listed: bool,
    list: Poll,
    facts: Poll,
    pulled_images: Poll,
    usage: Poll,
    /// What containers have written; never due where Docker bounds that.
    written: Poll,
    /// When that was asked last.
    written_asked_at: Timestamp,
    measured: Measured,
    image_gc: ImageGc,
    network: NetworkState,
    jobs: JoinSet<Input>,
    numbers: u64,
}

impl Reconciler {
    /// With the first view, before anything is read from Docker.
    pub(crate) fn new(
        executor: Executor,
        clock: Arc<dyn Clock>,
        session: Session<Agent>,
        view: AgentView,
        host: HostInfo,
        hello: watch::Sender<Hello>,
        ready: watch::Sender<bool>,
    ) -> Self {
        let now = clock.now();
        let is_bounded = executor.disk_limit.is_held_by_docker;
        let mut reconciler = Self {
            executor,
            clock,
            host,
            hello,
            ready,
            session,
            view: AgentView::default(),
            tasks: BTreeMap::new(),
            orphans: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            is_listed: false,
            list: Poll::Due(now),
            facts: Poll::Idle,
            pulled_images: Poll::Due(now.plus(IMAGE_GC_INTERVAL)),
            usage: Poll::Due(now),
            written: if is_bounded { Poll::Idle } else { Poll::Due(now) },
            written_asked_at: now,
            measured: Measured::default(),
            image_gc: ImageGc::default(),
            network: NetworkState::new(now),
            jobs: JoinSet::new(),
            numbers: 0,
        };
        reconciler.take_view(view);
        reconciler
    }

    /// Runs until `shutdown`. Containers go on running.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let (sender, mut events) = mpsc::channel(EVENTS);
        let Executor { engine, owner, .. } = self.executor.clone();
        let listening = engine.forward_events(owner, Arc::clone(&self.clock), sender);
        self.jobs.spawn(async move {
            listening.await;
            Input::Nothing
        });
        let mut ticks = tokio::time::interval(RESYNC_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        self.session.report.send_replace(self.report());
        loop {
            let now = self.clock.now();
            self.start_due(now);
            let report = self.report();
            self.session.report.send_if_modified(|known| {
                let is_new = *known != report;
                *known = report;
                is_new
            });
            let sleep = self.wake(now).map_or(LONGEST_SLEEP, |at| at.since(now)).min(LONGEST_SLEEP);
            let input = tokio::select! {
                () = shutdown.cancelled() => return self.shut_down().await,
                changed = self.session.view.changed() => match changed {
                    Ok(()) => Input::View,
                    Err(_) => return,
                },
                Some(event) = events.recv() => Input::Event(event),
                Some(ended) = self.jobs.join_next() => done(ended),
                Some(request) = self.session.streams.recv() => Input::Stream(request),
                _ = ticks.tick() => Input::Tick,
                () = tokio::time::sleep(sleep) => Input::Nothing,
            };
            self.take(input, self.clock.now());
        }
    }

    /// Applies an input.
    fn take(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::View => {
                let view = self.session.view.borrow_and_update().clone();
                if let Some(view) = view {
                    self.take_view(view.view);
                }
            }
            Input::Event(Event::Container(task, container)) => match self.tasks.get_mut(&task) {
                Some(runner) => runner.request_inspect(&container),
                None => self.request_list(now),
            },
            Input::Event(Event::Unsure) => self.request_list(now),
            Input::Stream(request) => self.answer(request),
            Input::Op { task, number, result } => self.take_op(task, number, result, now),
            Input::Inspected { task, container, changes, inspection } => {
                if let Some(runner) = self.tasks.get_mut(&task) {
                    runner.inspected(&container, changes, inspection, now);
                }
            }
            Input::List(listed) => self.take_list(listed, now),
            Input::Network(subnet, made) => self.take_network(subnet, made, now),
            Input::Facts(facts) => self.take_facts(facts, now),
            Input::Pulled(pulled) => self.take_pulled(pulled, now),
            Input::Measured(measured) => self.take_measured(measured, now),
            Input::Written(written) => self.take_written(&written, now),
            Input::Tick => self.resync(now),
            Input::Nothing => {}
        }
    }

    /// The subnet of the instance's network, once the server has assigned one.
    fn subnet(&self) -> Option<Subnet> {
        self.view.instance()?.subnet
    }

    fn take_view(&mut self, view: AgentView) {
        if view.instance().is_none() {
            return;
        }
        let gone: Vec<TaskId> =
            self.tasks.keys().copied().filter(|id| !view.tasks.contains_key(id)).collect();
        for id in gone {
            let Some(mut runner) = self.tasks.remove(&id) else { continue };
            runner.abort();
            // Absence is never an order: its containers stay and are reported as orphans.
            let kept =
                if runner.state.is_empty() { &mut self.forgotten } else { &mut self.orphans };
            kept.insert(id);
        }
        for task in view.tasks.values() {
            let was_orphan = self.orphans.remove(&task.id);
            let state = if self.is_listed && !was_orphan {
                ContainerState::NotCreated
            } else {
                ContainerState::Unknown
            };
            self.tasks
                .entry(task.id)
                .or_insert_with(|| TaskRunner::new(task.clone(), &state, rand::random()))
                .set_wanted(task);
        }
        self.view = view;
    }

    fn take_op(&mut self, id: TaskId, number: u64, result: Result<Done, OpError>, now: Timestamp) {
        let Some(runner) = self.tasks.get_mut(&id) else { return };
        let is_network_missing = matches!(result, Err(OpError::NetworkMissing(_)));
        let counts = runner.op_ended(number, result, now);
        if counts && is_network_missing {
            (self.network.ready, self.network.poll) = (None, Poll::Due(now));
        }
    }

    /// Starts what is due.
    fn start_due(&mut self, now: Timestamp) {
        self.start_polls(now);
        if self.is_listed && self.network.ready.is_some() {
            self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        }
        let Some(instance) = self.view.instance().copied() else { return };
        for (id, runner) in &mut self.tasks {
            for (container, known, changes) in runner.due_inspects(now) {
                let (executor, task) = (self.executor.clone(), *id);
                self.jobs.spawn(async move {
                    let inspection = executor
                        .engine
                        .inspect(&executor.owner, task, &container, known.as_ref())
                        .await;
                    Input::Inspected { task, container, changes, inspection }
                });
            }
            let Some(op) = runner.next(now) else { continue };
            let needs_network = matches!(op, Op::Create { network: Network::Own, .. });
            if needs_network
                && (self.network.ready.is_none() || self.network.ready != instance.subnet)
            {
                continue;
            }
            self.numbers += 1;
            let (executor, task, number) =
                (self.executor.clone(), Arc::clone(&runner.task), self.numbers);
            let (doing, published_on) = (op.clone(), instance.advertised_address);
            let abort = self.jobs.spawn(async move {
                let result = executor.execute(&task, &doing, published_on).await;
                Input::Op { task: task.id, number, result }
            });
            runner.op_started(number, op, abort);
        }
    }

    fn report(&self) -> AgentReport {
        let obstacle = match (&self.network.error, self.subnet()) {
            (Some(error), _) => Some(error.clone()),
            (None, None) => Some(sentences::no_subnet()),
            (None, Some(_)) => None,
        };
        let seen = |runner: &TaskRunner| {
            let is_starting = runner.is_starting();
            let seen = report::seen(&runner.task, &runner.state, is_starting, obstacle.as_deref());
            seen.map(|seen| SeenTask { peak_memory_mib: runner.peak_memory_mib, ..seen })
        };
        let mut tasks: Vec<SeenTask> = self.tasks.values().filter_map(seen).collect();
        report::fit(&mut tasks);
        AgentReport {
            tasks,
            unknown: self.orphans.iter().copied().collect(),
            available_memory_mib: self.measured.available_memory_mib,
            disk: self.measured.disk,
        }
    }

    fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let tasks = self.tasks.values().filter_map(|runner| runner.wake(now));
        tasks.chain(self.next_poll_at(now)).min()
    }

    /// Starts a stream that the server requests.
    fn answer(&mut self, request: StreamRequest) {
        let Stream::Logs { task, container, follow, tail } = request.stream;
        let known = self.tasks.get(&task).map(|runner| (&runner.task, &runner.state));
        let present = known.into_iter().flat_map(|(task, state)| {
            let named = task.containers.iter().map(|one| &one.name);
            let named = named.filter(|name| container.as_ref().is_none_or(|one| one == *name));
            named.filter_map(|name| Some((name.clone(), state.container(name).state.id()?.clone())))
        });
        let wanted = logs::Wanted {
            present: present.collect(),
            task,
            only: container,
            follow,
            tail: tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        };
        let Executor { engine, logs: store, .. } = self.executor.clone();
        let http = self.session.http.clone();
        self.jobs.spawn(async move {
            logs::answer(engine, store, http, request.id, wanted).await;
            Input::Nothing
        });
    }
}

/// The input that a job ended with. A cancelled job has none; a panic is passed on, so that the agent's process ends and is
/// started again.
fn done(ended: Result<Input, JoinError>) -> Input {
    match ended {
        Ok(input) => input,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Input::Nothing,
    }
}
