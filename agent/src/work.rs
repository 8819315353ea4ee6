//! The agent's one loop: it waits for whatever happens, takes it in, and then begins what there is to do. Whatever takes time
//! runs beside it, so a container or an engine that hangs holds up nothing else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use link::client::Session;
use link::message::{Agent, AgentReport, Hello, Stream, StreamRequest};
use model::{AgentView, Clock, ContainerName, Subnet, TaskId, Timestamp};
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;

use crate::docker::{About, Event, Hands, Listed, Look, Networks, Unready};
use crate::host::Host;
use crate::known::Life;
use crate::logs;
use crate::op::{Done, Network, Op};
use crate::report;
use crate::sweep::Idle;
use crate::tended::Tended;
use crate::trouble::{DockerError, Trouble};

mod whole;

use whole::{Asking, Bridge, SWEEP};

/// How often all containers and networks are listed, whatever events say.
const REVIEW: Duration = Duration::from_secs(30);
const EVENTS: usize = 256;
/// The longest sleep, for a clock that is set meanwhile.
const LONGEST_SLEEP: Duration = Duration::from_secs(30);

/// What can happen.
#[derive(Debug)]
enum Input {
    /// A view has come, or its stamp has advanced.
    View,
    /// Docker says that something has happened.
    Event(Event),
    /// The server wants bytes.
    Stream(StreamRequest),
    /// An Op has ended.
    Op { task: TaskId, number: u64, result: Result<Done, Trouble> },
    /// Somebody has looked at a container.
    Look { task: TaskId, container: ContainerName, changes: u64, look: Result<Look, DockerError> },
    /// All containers.
    List(Result<Vec<Listed>, DockerError>),
    /// The instance's network has that subnet, or not.
    Bridge(Subnet, Result<(), Unready>),
    /// The names of all images that the mirror has brought.
    Pulled(Result<Vec<String>, DockerError>),
    /// What is said in the greeting.
    Facts(Result<(About, Networks), DockerError>),
    /// Time has passed.
    Tick,
    /// Nothing that matters here.
    Nothing,
}

/// The loop and all that it knows.
pub(crate) struct Work {
    hands: Hands,
    clock: Arc<dyn Clock>,
    host: Host,
    hello: watch::Sender<Hello>,
    ready: watch::Sender<bool>,
    session: Session<Agent>,
    view: AgentView,
    tasks: BTreeMap<TaskId, Tended>,
    strays: BTreeSet<TaskId>,
    /// Tasks that ended cleanly since the list that is under way was asked for: it may still show them.
    forgotten: BTreeSet<TaskId>,
    is_listed: bool,
    list: Asking,
    facts: Asking,
    sweep: Asking,
    idle: Idle,
    bridge: Bridge,
    jobs: JoinSet<Input>,
    numbers: u64,
}

impl Work {
    /// Before anything is known but the first view.
    pub(crate) fn new(
        hands: Hands,
        clock: Arc<dyn Clock>,
        session: Session<Agent>,
        view: AgentView,
        host: Host,
        hello: watch::Sender<Hello>,
        ready: watch::Sender<bool>,
    ) -> Self {
        let now = clock.now();
        let mut work = Self {
            hands,
            clock,
            host,
            hello,
            ready,
            session,
            view: AgentView { tasks: Vec::new(), ..view.clone() },
            tasks: BTreeMap::new(),
            strays: BTreeSet::new(),
            forgotten: BTreeSet::new(),
            is_listed: false,
            list: Asking::Due(now),
            facts: Asking::Done,
            sweep: Asking::Due(now.plus(SWEEP)),
            idle: Idle::default(),
            bridge: Bridge::new(now),
            jobs: JoinSet::new(),
            numbers: 0,
        };
        work.take_view(view);
        work
    }

    /// Works until `shutdown`. Containers stay as they are.
    pub(crate) async fn run(mut self, shutdown: CancellationToken) {
        let (sender, mut events) = mpsc::channel(EVENTS);
        let Hands { engine, owner, .. } = self.hands.clone();
        let listening = engine.listen(owner, Arc::clone(&self.clock), sender);
        self.jobs.spawn(async move {
            listening.await;
            Input::Nothing
        });
        let mut ticks = tokio::time::interval(REVIEW);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        ticks.reset();
        self.session.report.send_replace(self.report());
        loop {
            let now = self.clock.now();
            self.begin(now);
            let report = self.report();
            self.session.report.send_if_modified(|known| {
                let is_new = *known != report;
                *known = report;
                is_new
            });
            let sleep = self.wake(now).map_or(LONGEST_SLEEP, |at| at.since(now)).min(LONGEST_SLEEP);
            let input = tokio::select! {
                () = shutdown.cancelled() => return self.leave().await,
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

    /// Takes in what has happened.
    fn take(&mut self, input: Input, now: Timestamp) {
        match input {
            Input::View => {
                let view = self.session.view.borrow_and_update().clone();
                if let Some(view) = view {
                    self.take_view(view.view);
                }
            }
            Input::Event(Event::Container(task, container)) => match self.tasks.get_mut(&task) {
                Some(tended) => tended.look_at(&container),
                None => self.ask_for_list(now),
            },
            Input::Event(Event::Unsure) => self.ask_for_list(now),
            Input::Stream(request) => self.answer(request),
            Input::Op { task, number, result } => self.take_op(task, number, result, now),
            Input::Look { task, container, changes, look } => {
                if let Some(tended) = self.tasks.get_mut(&task) {
                    tended.looked(&container, changes, look, now);
                }
            }
            Input::List(listed) => self.take_list(listed, now),
            Input::Bridge(subnet, made) => self.take_bridge(subnet, made, now),
            Input::Facts(facts) => self.take_facts(facts, now),
            Input::Pulled(pulled) => self.take_pulled(pulled, now),
            Input::Tick => self.review(now),
            Input::Nothing => {}
        }
    }

    fn take_view(&mut self, view: AgentView) {
        let wanted: BTreeSet<TaskId> = view.tasks.iter().map(|task| task.id).collect();
        let gone: Vec<TaskId> =
            self.tasks.keys().copied().filter(|id| !wanted.contains(id)).collect();
        for id in gone {
            let Some(mut tended) = self.tasks.remove(&id) else { continue };
            tended.abort();
            // Absence is never an order: what is left of it stays, and is said to be there.
            let kept = if tended.known.is_empty() { &mut self.forgotten } else { &mut self.strays };
            kept.insert(id);
        }
        for task in &view.tasks {
            let is_stray = self.strays.remove(&task.id);
            let life = if self.is_listed && !is_stray { Life::Absent } else { Life::Unseen };
            self.tasks
                .entry(task.id)
                .or_insert_with(|| Tended::new(task.clone(), &life))
                .want(task);
        }
        self.view = view;
    }

    fn take_op(&mut self, id: TaskId, number: u64, result: Result<Done, Trouble>, now: Timestamp) {
        let Some(tended) = self.tasks.get_mut(&id) else { return };
        let waited_for = |tended: &Tended, op: &Op| {
            tended.known.waits_for(op.container()).map(ToOwned::to_owned)
        };
        let is_no_network = matches!(result, Err(Trouble::NoNetwork(_)));
        let said = match &result {
            Ok(_) => None,
            Err(
                Trouble::Later(reason)
                | Trouble::NoNetwork(reason)
                | Trouble::Again(reason)
                | Trouble::Never(_, reason)
                | Trouble::Stale(reason),
            ) => Some(reason.clone()),
            Err(Trouble::Gone) => Some("it is not there".to_owned()),
            Err(Trouble::ImageGone) => Some("its image is not there".to_owned()),
        };
        let before = tended
            .known
            .containers
            .keys()
            .find_map(|name| tended.known.waits_for(name).map(ToOwned::to_owned));
        let Some(op) = tended.ended(number, result, now) else { return };
        match said {
            Some(reason)
                if before.as_ref() == Some(&reason) && waited_for(tended, &op).is_some() =>
            {
                tracing::debug!(task.id = %id, "still cannot {op} of task `{id}`: {reason}");
            }
            Some(reason) => tracing::warn!(task.id = %id, "cannot {op} of task `{id}`: {reason}"),
            None if matches!(op, Op::Find { .. } | Op::Tail { .. }) => {}
            None => tracing::info!(task.id = %id, "done: {op} of task `{id}`"),
        }
        if is_no_network {
            (self.bridge.ready, self.bridge.asking) = (None, Asking::Due(now));
        }
    }

    /// Begins what there is to do.
    fn begin(&mut self, now: Timestamp) {
        self.begin_asking(now);
        if self.is_listed && self.bridge.ready.is_some() {
            self.ready.send_if_modified(|ready| !std::mem::replace(ready, true));
        }
        for (id, tended) in &mut self.tasks {
            for (container, known, changes) in tended.looks(now) {
                let (hands, task) = (self.hands.clone(), *id);
                self.jobs.spawn(async move {
                    let look =
                        hands.engine.look(&hands.owner, task, &container, known.as_deref()).await;
                    Input::Look { task, container, changes, look }
                });
            }
            let Some(op) = tended.next(now) else { continue };
            let needs_bridge = matches!(op, Op::Create { network: Network::Own, .. });
            if needs_bridge
                && (self.bridge.ready.is_none() || self.bridge.ready != self.view.subnet)
            {
                continue;
            }
            self.numbers += 1;
            let (hands, task, number) =
                (self.hands.clone(), Arc::clone(&tended.task), self.numbers);
            let (doing, published_on) = (op.clone(), self.view.advertised_address);
            let abort = self.jobs.spawn(async move {
                let result = hands.perform(&task, &doing, published_on).await;
                Input::Op { task: task.id, number, result }
            });
            tended.began(number, op, abort);
        }
    }

    fn report(&self) -> AgentReport {
        let obstacle = match (&self.bridge.trouble, self.view.subnet) {
            (Some(trouble), _) => Some(trouble.as_str()),
            (None, None) => Some("waits for the server to give this instance a subnet"),
            (None, Some(_)) => None,
        };
        let seen = |tended: &Tended| {
            report::seen(&tended.task, &tended.known, tended.is_waking(), obstacle)
        };
        AgentReport {
            tasks: self.tasks.values().filter_map(seen).collect(),
            unknown: self.strays.iter().copied().collect(),
        }
    }

    fn wake(&self, now: Timestamp) -> Option<Timestamp> {
        let tasks = self.tasks.values().filter_map(|tended| tended.wake(now));
        tasks.chain(self.asks_at(now)).min()
    }

    /// Begins to send what the server wants to read.
    fn answer(&mut self, request: StreamRequest) {
        let Stream::Logs { task, container, follow, tail } = request.stream;
        let known = self.tasks.get(&task).map(|tended| (&tended.task, &tended.known));
        let sources = known.into_iter().flat_map(|(task, known)| {
            let named = task.containers.iter().map(|one| &one.name);
            let named = named.filter(|name| container.as_ref().is_none_or(|one| one == *name));
            named.filter_map(|name| {
                Some((name.clone(), known.container(name).life.id()?.to_owned()))
            })
        });
        let wanted = logs::Wanted {
            sources: sources.collect(),
            follow,
            tail: tail.map(|lines| usize::try_from(lines).unwrap_or(usize::MAX)),
        };
        let (engine, http) = (self.hands.engine.clone(), self.session.http.clone());
        self.jobs.spawn(async move {
            logs::answer(engine, http, request.id, wanted).await;
            Input::Nothing
        });
    }
}

/// What a job has brought. One that was cancelled has brought nothing; one that panicked takes the agent with it, so that it
/// starts anew.
fn done(ended: Result<Input, JoinError>) -> Input {
    match ended {
        Ok(input) => input,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Input::Nothing,
    }
}
