//! A small world in which anything happens at any moment: containers die or are removed, calls fail, are done twice, or are
//! done although they seem to fail, looks come late. Whatever came before, once nothing more goes wrong, the task comes to
//! its end in few steps.

use std::collections::BTreeMap;

use model::{ContainerId, ContainerName, RestartPolicy};
use proptest::prelude::*;

use super::*;

/// What happens next.
#[derive(Debug, Clone)]
enum Happening {
    /// The next Op is performed, in this manner.
    Op(Manner),
    /// The n-th container exits with this code.
    Dies(usize, i64),
    /// Somebody removes the n-th container.
    Removed(usize),
    /// Somebody looks at the n-th container.
    Inspect(usize),
    /// Somebody removes the image.
    ImageRemoved,
    /// Time passes.
    Time(u64),
    /// The task is to be stopped, or its end is committed.
    Onward,
}

/// How an Op is performed.
#[derive(Debug, Clone)]
enum Manner {
    /// It works.
    Works,
    /// It is done twice.
    Twice,
    /// It is done, but nobody learns of it.
    Unheard,
    /// It is not done.
    Fails(OpError),
}

fn happening() -> impl Strategy<Value = Happening> {
    let error = prop_oneof![
        4 => Just(OpError::Retry("later".to_owned())),
        2 => Just(OpError::RetryLimited {
            reason: "again".to_owned(),
            cause: Some(StopCause::ImagePull),
        }),
        1 => Just(OpError::Fatal(Stopped::new(StopCause::ImageMissing, "never"))),
        2 => Just(OpError::Stale("stale".to_owned())),
        1 => Just(OpError::StaleLimited(Stopped::new(StopCause::ContainerNotStarted, "refused"))),
        1 => Just(OpError::NetworkMissing("no network".to_owned())),
    ];
    let manner = prop_oneof![
        20 => Just(Manner::Works),
        3 => Just(Manner::Twice),
        3 => Just(Manner::Unheard),
        4 => error.prop_map(Manner::Fails),
    ];
    prop_oneof![
        30 => manner.prop_map(Happening::Op),
        4 => (0..3_usize, 0..3_i64).prop_map(|(n, code)| Happening::Dies(n, code)),
        1 => (0..3_usize).prop_map(Happening::Removed),
        6 => (0..3_usize).prop_map(Happening::Inspect),
        1 => Just(Happening::ImageRemoved),
        6 => (0..90_u64).prop_map(Happening::Time),
        1 => Just(Happening::Onward),
    ]
}

/// A container as it is in Docker.
#[derive(Debug, Clone)]
struct Real {
    id: ContainerId,
    state: ObservedState,
    since: Timestamp,
    is_signalled: bool,
}

struct World {
    scenario: Scenario,
    real: BTreeMap<ContainerName, Real>,
    has_image: bool,
    /// Its containers do not heed signals.
    is_deaf: bool,
    made: u32,
    /// When a container was first asked to stop, or was to be.
    asked: BTreeMap<ContainerId, Timestamp>,
}

impl World {
    fn new(task: AssignedTask, is_deaf: bool) -> Self {
        Self {
            scenario: Scenario::new(task),
            real: BTreeMap::new(),
            has_image: false,
            is_deaf,
            made: 0,
            asked: BTreeMap::new(),
        }
    }

    fn names(&self) -> Vec<ContainerName> {
        self.scenario.task.containers.iter().map(|one| one.name.clone()).collect()
    }

    fn nth(&self, n: usize) -> ContainerName {
        let names = self.names();
        names[n % names.len()].clone()
    }

    fn next(&mut self) -> Option<Op> {
        let op = next(&self.scenario.task, &self.scenario.state, self.scenario.now)?;
        self.check(&op);
        if let Op::Terminate { id, .. } = &op {
            // Whether Docker does it or not, its time to end runs.
            self.asked.entry(id.clone()).or_insert(self.scenario.now);
        }
        Some(op)
    }

    /// What must hold of every Op, whatever has happened.
    fn check(&self, op: &Op) {
        let scenario = &self.scenario;
        let ends = scenario.task.wanted != Wanted::Run
            || ending(&scenario.task, &scenario.state).is_some();
        match op {
            Op::Find { .. }
            | Op::Pull { .. }
            | Op::Create { .. }
            | Op::Start { .. }
            | Op::Restart { .. } => assert!(!ends, "{op} although the task ends"),
            Op::Terminate { .. } => assert!(ends, "{op} although the task runs"),
            Op::Kill { id, .. } => {
                let asked = self.asked.get(id).expect("it was asked first");
                assert!(scenario.now.since(*asked) >= Duration::from_secs(30), "{op} too early");
            }
            Op::Remove { .. } => assert_eq!(scenario.task.wanted, Wanted::Reap, "{op}"),
            Op::Tail { .. } => {}
        }
    }

    /// Does it in Docker.
    fn execute(&mut self, op: &Op) -> Result<Done, OpError> {
        match op {
            Op::Find { .. } => {
                let image = Found { id: "image".into(), stop_signal: None, unfit: None };
                Ok(Done::Found(self.has_image.then_some(image)))
            }
            Op::Pull { .. } => {
                self.has_image = true;
                Ok(Done::Pulled)
            }
            Op::Create { container, .. } => self.create(container),
            Op::Remove { container, id } => {
                let real = self.real.get(container).filter(|real| real.id == *id);
                if real.is_some_and(|real| real.state == ObservedState::Running) {
                    return Err(OpError::Stale("it runs".to_owned()));
                }
                if real.is_some() {
                    self.real.remove(container);
                }
                Ok(Done::Removed)
            }
            Op::Tail { container, id } => match self.real.get(container) {
                Some(real) if real.id == *id => Ok(Done::Read(Vec::new())),
                _ => Err(OpError::RetryLimited {
                    reason: "no such container".to_owned(),
                    cause: None,
                }),
            },
            Op::Start { container, id } => self.start(container, id, false),
            Op::Restart { container, id, .. } => self.start(container, id, true),
            Op::Terminate { container, id, .. } => self.signal(container, id, false),
            Op::Kill { container, id } => self.signal(container, id, true),
        }
    }

    fn create(&mut self, container: &ContainerName) -> Result<Done, OpError> {
        if !self.has_image {
            return Err(OpError::ImageMissing);
        }
        if self.real.contains_key(container) {
            return Err(OpError::Stale("the name is taken".to_owned()));
        }
        self.made += 1;
        let id = ContainerId::from(format!("{container}-{}", self.made));
        let real = Real {
            id: id.clone(),
            state: ObservedState::Created,
            since: self.scenario.now,
            is_signalled: false,
        };
        self.real.insert(container.clone(), real);
        Ok(Done::Created(id))
    }

    fn start(
        &mut self,
        container: &ContainerName,
        id: &ContainerId,
        anew: bool,
    ) -> Result<Done, OpError> {
        let now = self.scenario.now;
        let real = self.real.get_mut(container).filter(|real| real.id == *id);
        let real = real.ok_or(OpError::ContainerMissing)?;
        if anew || real.state != ObservedState::Running {
            (real.state, real.since) = (ObservedState::Running, now);
        }
        Ok(Done::Started)
    }

    fn signal(
        &mut self,
        container: &ContainerName,
        id: &ContainerId,
        kill: bool,
    ) -> Result<Done, OpError> {
        let now = self.scenario.now;
        let real = self.real.get_mut(container).filter(|real| real.id == *id);
        let real = real.ok_or(OpError::ContainerMissing)?;
        if real.state != ObservedState::Running {
            return Err(OpError::Stale("it does not run".to_owned()));
        }
        real.is_signalled = !self.is_deaf;
        if kill {
            real.state = exited(137, real.since, now);
        }
        Ok(Done::Signalled)
    }

    fn inspect(&mut self, name: &ContainerName) {
        let seen = self.real.get(name).map(|real| Observed {
            id: real.id.clone(),
            state: real.state.clone(),
            stop_signal: None,
        });
        self.scenario.state.observed(name, seen);
    }

    fn happen(&mut self, happening: Happening) {
        let now = self.scenario.now;
        match happening {
            Happening::Op(manner) => {
                let Some(op) = self.next() else { return };
                let result = match manner {
                    Manner::Fails(error) => Err(error),
                    Manner::Unheard => {
                        self.execute(&op).ok();
                        Err(OpError::Stale("unheard".to_owned()))
                    }
                    Manner::Twice => {
                        self.execute(&op).ok();
                        self.execute(&op)
                    }
                    Manner::Works => self.execute(&op),
                };
                self.scenario.state.op_ended(&op, result, now);
            }
            Happening::Dies(n, code) => {
                let name = self.nth(n);
                if let Some(real) = self.real.get_mut(&name)
                    && real.state == ObservedState::Running
                {
                    real.state = exited(code, real.since, now);
                }
            }
            Happening::Removed(n) => {
                let name = self.nth(n);
                self.real.remove(&name);
            }
            Happening::Inspect(n) => self.inspect(&self.nth(n)),
            Happening::ImageRemoved => self.has_image = false,
            Happening::Time(seconds) => self.scenario.now = now.plus(Duration::from_secs(seconds)),
            Happening::Onward => {
                self.scenario.task.wanted =
                    match (self.scenario.task.wanted, self.scenario.status()) {
                        (_, Some(TaskStatus::Stopped)) => Wanted::Reap,
                        (Wanted::Run, _) => Wanted::Stop,
                        (wanted, _) => wanted,
                    };
            }
        }
    }

    /// Nothing more goes wrong: what was told to stop does so, everything is looked at, time passes.
    fn calm_down(&mut self) {
        let mut quiet = 0;
        for _ in 0..200 {
            for name in self.names() {
                if let Some(real) = self.real.get_mut(&name)
                    && real.is_signalled
                    && real.state == ObservedState::Running
                {
                    real.state = exited(143, real.since, self.scenario.now);
                }
                self.inspect(&name);
            }
            match self.next() {
                Some(op) => {
                    quiet = 0;
                    let result = self.execute(&op);
                    self.scenario.state.op_ended(&op, result, self.scenario.now);
                }
                None => quiet += 1,
            }
            if quiet > 3 {
                return;
            }
            self.scenario.now = self.scenario.now.plus(Duration::from_secs(16));
        }
        panic!("it comes to no end: {:?}", self.scenario.state);
    }
}

fn exited(code: i64, since: Timestamp, now: Timestamp) -> ObservedState {
    let ran = now.since(since);
    ObservedState::Exited(Exit {
        by_docker: false,
        code,
        out_of_memory: false,
        at: now,
        ran,
        log_tail: None,
    })
}

fn tasks() -> impl Strategy<Value = AssignedTask> {
    let shapes = prop_oneof![
        Just(vec![("main", true)]),
        Just(vec![("main", true), ("side", true)]),
        Just(vec![("init", false), ("main", true), ("side", false)]),
    ];
    (shapes, any::<bool>()).prop_map(|(shape, enabled)| {
        let mut task = task_of(&shape);
        let policy =
            RestartPolicy { enabled, ignored_exit_codes: vec![2], restart_attempt_period: 60 };
        for container in &mut task.containers {
            container.restart_policy = Some(policy.clone());
        }
        task
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_task_comes_to_its_end(
        task in tasks(),
        is_deaf in any::<bool>(),
        happenings in proptest::collection::vec(happening(), 0..80),
    ) {
        let mut world = World::new(task, is_deaf);
        for happening in happenings {
            world.happen(happening);
        }
        world.calm_down();
        let status = world.scenario.status();
        match world.scenario.task.wanted {
            Wanted::Run => prop_assert!(
                matches!(status, Some(TaskStatus::Running | TaskStatus::Stopped)),
                "{status:?}"
            ),
            Wanted::Stop | Wanted::Reap => prop_assert_eq!(status, Some(TaskStatus::Stopped)),
        }
        if world.scenario.task.wanted == Wanted::Run {
            world.scenario.task.wanted = Wanted::Stop;
            world.calm_down();
            prop_assert_eq!(world.scenario.status(), Some(TaskStatus::Stopped));
        }
        world.scenario.task.wanted = Wanted::Reap;
        world.calm_down();
        prop_assert!(world.scenario.state.is_empty());
        prop_assert!(world.real.is_empty(), "nothing is left: {:?}", world.real);
        prop_assert!(world.next().is_none(), "what has settled asks for nothing");
    }
}
