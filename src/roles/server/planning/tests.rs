//! The loop around the plan, on paused time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use model::{
    Change, Clock, CommitError, InvalidChange, Observed, Refusal, ServiceChange, ServiceId, State,
    TaskChange, Timestamp,
};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use self::world::{NOW, world};
use super::{Settings, run};

mod world;

/// A clock that goes with tokio's.
struct Paused {
    start: Instant,
    from: Timestamp,
    ahead: Mutex<Duration>,
}

impl Clock for Paused {
    fn now(&self) -> Timestamp {
        self.from.plus(self.start.elapsed()).plus(*self.ahead.lock().unwrap())
    }
}

/// A store that commits into a watch, and may refuse.
struct Store {
    state: watch::Sender<State>,
    observed: watch::Sender<Observed>,
    clock: Arc<Paused>,
    refusals_left: AtomicUsize,
    /// The service of which no task is taken.
    refused: Mutex<Option<ServiceId>>,
    /// How long a commit takes.
    slowness: Mutex<Duration>,
    submissions: AtomicUsize,
    refusals: AtomicUsize,
    shutdown: CancellationToken,
}

impl Store {
    #[expect(clippy::disallowed_methods, reason = "tokio's clock is paused here")]
    fn start((state, observed): (State, Observed)) -> Arc<Self> {
        let clock = Paused { start: Instant::now(), from: NOW, ahead: Mutex::new(Duration::ZERO) };
        let store = Arc::new(Self {
            state: watch::Sender::new(state),
            observed: watch::Sender::new(observed),
            clock: Arc::new(clock),
            refusals_left: AtomicUsize::new(0),
            refused: Mutex::new(None),
            slowness: Mutex::new(Duration::from_millis(4)),
            submissions: AtomicUsize::new(0),
            refusals: AtomicUsize::new(0),
            shutdown: CancellationToken::new(),
        });
        let sink = Arc::clone(&store);
        let submit = move |batch| {
            let store = Arc::clone(&sink);
            async move { store.submit(batch).await }
        };
        let clock: Arc<dyn Clock> = Arc::<Paused>::clone(&store.clock);
        let (state, observed) = (store.state.subscribe(), store.observed.subscribe());
        let shutdown = store.shutdown.clone();
        tokio::spawn(run(state, observed, submit, clock, Settings::default(), shutdown));
        store
    }

    /// Answers before the new state is seen, as a store under load may.
    async fn submit(self: Arc<Self>, batch: Vec<Change>) -> Result<(), CommitError> {
        self.submissions.fetch_add(1, Ordering::SeqCst);
        let slowness = *self.slowness.lock().unwrap();
        sleep(slowness).await;
        let refused = *self.refused.lock().unwrap();
        if refused.is_some() && batch.iter().any(|change| service_of_new(change) == refused) {
            self.refusals.fetch_add(1, Ordering::SeqCst);
            return Err(CommitError::Refused(Refusal::Invalid(InvalidChange::NoService)));
        }
        let left = self.refusals_left.load(Ordering::SeqCst);
        if left > 0 {
            self.refusals_left.store(left - 1, Ordering::SeqCst);
            return Err(CommitError::Unavailable("the disk is full".to_owned()));
        }
        tokio::spawn(async move {
            sleep(Duration::from_millis(300)).await;
            let now = self.clock.now();
            self.change(|state| state.apply_all(&batch, now).map(drop).unwrap());
        });
        Ok(())
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        self.state.send_modify(|state| {
            change(state);
            *state = state.clone().at(state.revision().next());
        });
    }

    async fn until(&self, holds: impl FnMut(&State) -> bool) {
        let mut watch = self.state.subscribe();
        let reached = timeout(Duration::from_mins(5), watch.wait_for(holds)).await;
        reached.expect("the state is reached in time").unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_is_created_twice_when_the_state_lags_behind_the_answer() {
    let store = Store::start(world(40));
    store.until(|state| state.tasks().count() >= 40).await;
    sleep(Duration::from_secs(4)).await;
    assert_eq!(store.state.borrow().tasks().count(), 40);
    assert_eq!(store.state.borrow().deployments().count(), 1);
    let submissions = store.submissions.load(Ordering::SeqCst);
    sleep(Duration::from_secs(4)).await;
    assert_eq!(store.submissions.load(Ordering::SeqCst), submissions, "it is settled");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_planned_again_without_a_busy_loop() {
    let store = Store::start(world(1));
    store.refusals_left.store(6, Ordering::SeqCst);
    store.until(|state| state.tasks().count() == 1).await;
    let waited = store.clock.start.elapsed();
    assert!(waited >= Duration::from_millis(50 * 63 / 2), "{waited:?}");
    assert!(store.submissions.load(Ordering::SeqCst) <= 9);
}

fn service_of_new(change: &Change) -> Option<ServiceId> {
    let Change::Task(TaskChange::Create(task)) = change else { return None };
    task.service.map(|(service, _)| service)
}

#[tokio::test(start_paused = true)]
async fn what_is_refused_waits_and_the_rest_goes_on() {
    let (mut state, observed) = world(1);
    let refused = world::add_service(&mut state, "other");
    let store = Store::start((state, observed));
    *store.refused.lock().unwrap() = Some(refused);
    let first = store.state.borrow().services().find(|one| one.id != refused).unwrap().id;
    let scale = async |count: usize| {
        let before = store.clock.now();
        let update = Change::from(ServiceChange::Update(model::change::ServiceUpdate {
            service: Some(first),
            desired_count: Some(count.try_into().unwrap()),
            ..Default::default()
        }));
        store.change(|state| drop(state.apply(&update, before).unwrap()));
        store.until(|state| state.tasks_of(first).count() == count).await;
        store.clock.now().since(before)
    };
    for count in 2..10 {
        sleep(Duration::from_secs(3)).await;
        let (instance, now) =
            (store.state.borrow().instances().next().unwrap().id, store.clock.now());
        store.observed.send_modify(|observed| observed.hear_instance(instance, true, now));
        let took = scale(count).await;
        assert!(took < Duration::from_millis(600), "{took:?}");
    }
    let refusals = store.refusals.load(Ordering::SeqCst);
    assert!((5..30).contains(&refusals), "{refusals}");
    *store.refused.lock().unwrap() = None;
    store.until(|state| state.tasks_of(refused).count() == 1).await;
}

#[tokio::test(start_paused = true)]
async fn a_round_that_takes_long_is_not_taken_for_its_own_sleep() {
    let store = Store::start(world(1));
    store.until(|state| state.tasks().count() == 1).await;
    *store.slowness.lock().unwrap() = Duration::from_secs(30);
    let service = store.state.borrow().services().next().unwrap().id;
    // Its instance is silent from the start; each round commits something, slowly.
    for count in 2..12 {
        let update = Change::from(ServiceChange::Update(model::change::ServiceUpdate {
            service: Some(service),
            desired_count: Some(count),
            ..Default::default()
        }));
        let now = store.clock.now();
        store.change(|state| drop(state.apply(&update, now).unwrap()));
        sleep(Duration::from_secs(40)).await;
    }
    let state = store.state.borrow().clone();
    assert!(state.tasks().any(|task| !task.wanted()), "a silent instance is given up");
}

#[tokio::test(start_paused = true)]
async fn a_change_wakes_it_before_the_tick() {
    let store = Store::start(world(1));
    store.until(|state| state.tasks().count() == 1).await;
    sleep(Duration::from_secs(1)).await;
    let id = store.state.borrow().services().next().unwrap().id;
    let before = store.clock.now();
    let update = Change::from(ServiceChange::Update(model::change::ServiceUpdate {
        service: Some(id),
        desired_count: Some(2),
        ..Default::default()
    }));
    store.change(|state| drop(state.apply(&update, before).unwrap()));
    store.until(|state| state.tasks().count() == 2).await;
    assert!(store.clock.now().since(before) < Duration::from_millis(500));
}

#[tokio::test(start_paused = true)]
async fn a_host_that_slept_loses_no_instance() {
    let store = Store::start(world(1));
    store.until(|state| state.tasks().count() == 1).await;
    sleep(Duration::from_secs(1)).await;
    *store.clock.ahead.lock().unwrap() += Duration::from_hours(9);
    sleep(Duration::from_secs(20)).await;
    assert!(store.state.borrow().tasks().all(model::Task::wanted));
    sleep(Duration::from_mins(1)).await;
    assert!(!store.state.borrow().tasks().any(model::Task::wanted), "it really is silent");
}

#[tokio::test(start_paused = true)]
async fn it_ends_at_shutdown() {
    let store = Store::start(world(1));
    store.until(|state| state.tasks().count() == 1).await;
    store.shutdown.cancel();
    let gone = timeout(Duration::from_secs(1), async {
        while store.observed.receiver_count() > 0 {
            sleep(Duration::from_millis(5)).await;
        }
    });
    gone.await.expect("its receivers are dropped");
}
