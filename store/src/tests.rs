//! What the store promises its callers.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use futures_util::future::{BoxFuture, join_all};
use futures_util::{FutureExt as _, poll};
use model::{Batch, Change, CommitError, Epoch, History, RowGuard, RowWrite, State, StateRevision};
use proptest::prelude::*;
use tokio::sync::{Notify, Semaphore};

use self::world::*;
use crate::kv::memory::MemoryKv;
use crate::kv::redb::RedbKv;
use crate::kv::{Kv, KvError, Pair, Range, Watch, Write};
use crate::*;

mod limits;
mod precondition;
pub(crate) mod upgrade;
pub(crate) mod world;

/// A memory engine whose commits wait for the test and may fail.
#[derive(Debug)]
struct GatedKv {
    inner: Arc<MemoryKv>,
    gate: Semaphore,
    arrived: Notify,
    commits: AtomicUsize,
    fails: AtomicBool,
}

impl GatedKv {
    fn shut() -> Arc<Self> {
        Arc::new(Self {
            inner: Arc::new(MemoryKv::new()),
            gate: Semaphore::new(0),
            arrived: Notify::new(),
            commits: AtomicUsize::new(0),
            fails: AtomicBool::new(false),
        })
    }

    /// Lets everything through from now on.
    fn open(&self) {
        self.gate.add_permits(10_000);
    }

    fn commits(&self) -> usize {
        self.commits.load(Ordering::SeqCst)
    }
}

impl Kv for GatedKv {
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>> {
        self.inner.campaign()
    }

    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>> {
        self.inner.get(key)
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>> {
        self.inner.range(range)
    }

    fn commit(
        &self,
        epoch: Epoch,
        batches: Vec<Vec<Write>>,
    ) -> BoxFuture<'_, Result<u64, KvError>> {
        async move {
            self.arrived.notify_one();
            self.gate.acquire().await.expect("nobody closes the gate").forget();
            self.commits.fetch_add(1, Ordering::SeqCst);
            if self.fails.load(Ordering::SeqCst) {
                return Err(KvError::Failed("the disk is gone".to_owned()));
            }
            self.inner.commit(epoch, batches).await
        }
        .boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        self.inner.revision()
    }

    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        self.inner.keep_copy(name)
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        self.inner.watch(from)
    }
}

fn on<K: Kv>(kv: &Arc<K>) -> Store {
    with_limits(kv, HistoryLimits::default())
}

fn with_limits<K: Kv>(kv: &Arc<K>, limits: HistoryLimits) -> Store {
    let kv = Arc::<K>::clone(kv);
    Store::on(kv, "test", limits).expect("the engine holds nothing unreadable")
}

fn put(key: &str, value: &str) -> RowWrite {
    RowWrite::Put { key: key.into(), value: value.into() }
}

fn rows(rows: Vec<RowWrite>) -> Batch {
    Batch { rows, ..Batch::of(Vec::new(), at(1)) }
}

fn guarded(guard: RowGuard, write: RowWrite) -> Batch {
    Batch { guards: vec![guard], ..rows(vec![write]) }
}

/// Every row of State: equal texts are an equal State, since State rebuilds from its rows alone.
fn texts(state: &State) -> Vec<(String, String)> {
    let text = |key: &model::RowKey| {
        String::from_utf8(state.row(key).expect("a key that State lists has a row"))
            .expect("a row is JSON")
    };
    state.row_keys().iter().map(|key| (key.to_string(), text(key))).collect()
}

async fn all_rows(store: &Store) -> Vec<(Vec<u8>, Vec<u8>)> {
    store.range(b"", None, usize::MAX).await.expect("the engine reads")
}

#[tokio::test]
async fn many_callers_share_few_commits_of_the_engine() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let mut first = Box::pin(store.commit(rows(vec![put("first", "")])));
    assert!(poll!(&mut first).is_pending());
    kv.arrived.notified().await;
    let writes = (0..500).map(|n| store.commit(rows(vec![put(&n.to_string(), "")])));
    let mut writes = Box::pin(tokio::task::unconstrained(join_all(writes)));
    // Once each was polled, all of them wait in the queue behind the first.
    assert!(poll!(&mut writes).is_pending());
    kv.open();
    assert!(first.await.is_ok() && writes.await.iter().all(Result::is_ok));
    assert_eq!(kv.commits(), 2);
    assert_eq!(all_rows(&store).await.len(), 501);
}

#[tokio::test]
async fn nothing_is_answered_or_published_before_it_is_committed() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let mut write = Box::pin(store.apply(vec![create_repository("hello")], at(1)));
    assert!(poll!(&mut write).is_pending());
    kv.arrived.notified().await;
    assert!(poll!(&mut write).is_pending());
    assert_eq!((store.state().revision(), texts(&store.state())), (StateRevision(0), Vec::new()));
    kv.open();
    assert_eq!(write.await, Ok(StateRevision(1)));
    assert_eq!(store.state().revision(), StateRevision(1));
}

#[tokio::test]
async fn what_is_answered_is_in_the_published_state() {
    let store = Store::in_memory();
    let mut watch = store.watch();
    for n in 1..=20 {
        let name = format!("hello-{n}");
        let revision = store.apply(vec![create_repository(&name)], at(1)).await.unwrap();
        assert_eq!(revision, StateRevision(n));
        assert_eq!(store.state().revision(), revision);
        assert!(store.state().repository(&name.parse().unwrap()).is_some());
        assert!(watch.has_changed().unwrap());
        assert_eq!(watch.borrow_and_update().revision(), revision);
    }
}

#[tokio::test]
async fn a_change_that_is_refused_takes_its_whole_batch_with_it() {
    let kv = Arc::new(MemoryKv::new());
    let store = on(&kv);
    let changes = vec![create_repository("hello"), scale(0, 2)];
    let batch = Batch { rows: vec![put("row", "")], ..Batch::of(changes, at(1)) };
    let refused = store.commit(batch).await.unwrap_err();
    assert!(matches!(&refused, CommitError::Refused(_)), "{refused}");
    assert!(store.state().row_keys().is_empty() && all_rows(&store).await.is_empty());
    assert_eq!(kv.revision().await, Ok(0));
}

#[tokio::test]
async fn a_batch_that_does_not_fit_holds_up_nobody_else() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let mut all = Box::pin(async {
        tokio::join!(
            store.apply(vec![create_repository("a")], at(1)),
            store.apply(vec![scale(0, 2)], at(1)),
            store.commit(guarded(RowGuard::Present(b"gone".to_vec()), put("x", ""))),
            store.apply(vec![create_repository("b")], at(1)),
        )
    });
    assert!(poll!(&mut all).is_pending());
    kv.open();
    let (first, refused, guarded, second) = all.await;
    assert_eq!((first, second), (Ok(StateRevision(1)), Ok(StateRevision(2))));
    assert!(matches!(refused, Err(CommitError::Refused(_))));
    assert_eq!(guarded.unwrap_err(), CommitError::GuardFailed { key: b"gone".to_vec() });
    assert!(all_rows(&store).await.is_empty());
}

#[tokio::test]
async fn a_batch_that_touches_nothing_writes_nothing() {
    let kv = Arc::new(MemoryKv::new());
    let store = on(&kv);
    let known = vec![create_repository("hello")];
    assert_eq!(store.apply(known.clone(), at(1)).await, Ok(StateRevision(1)));
    let before = kv.revision().await;
    assert_eq!(store.apply(known, at(2)).await, Ok(StateRevision(1)));
    assert_eq!(store.apply(Vec::new(), at(2)).await, Ok(StateRevision(1)));
    assert_eq!(kv.revision().await, before);
}

#[tokio::test]
async fn a_guard_holds_or_the_batch_is_refused() {
    let store = Store::in_memory();
    let absent = || RowGuard::Absent(b"blob".to_vec());
    let present = || RowGuard::Present(b"blob".to_vec());
    let failed = CommitError::GuardFailed { key: b"blob".to_vec() };
    assert_eq!(store.commit(guarded(present(), put("edge", "1"))).await.unwrap_err(), failed);
    assert!(store.commit(guarded(absent(), put("blob", "1"))).await.is_ok());
    assert_eq!(store.commit(guarded(absent(), put("blob", "2"))).await.unwrap_err(), failed);
    assert!(store.commit(guarded(present(), put("edge", "1"))).await.is_ok());
    let both = Batch { guards: vec![present(), absent()], ..rows(vec![put("edge", "2")]) };
    assert_eq!(store.commit(both).await.unwrap_err(), failed);
    let removal = RowWrite::Delete { key: b"blob".to_vec() };
    assert!(store.commit(guarded(present(), removal)).await.is_ok());
    assert_eq!(store.get(b"blob").await, Ok(None));
    assert_eq!(store.get(b"edge").await, Ok(Some(b"1".to_vec())));
}

#[tokio::test]
async fn guards_see_the_batches_in_flight_and_not_those_that_were_refused() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let absent = || RowGuard::Absent(b"x".to_vec());
    let present = || RowGuard::Present(b"x".to_vec());
    let refused = Batch { changes: vec![scale(0, 1)], ..guarded(absent(), put("x", "0")) };
    let batches = [
        refused,
        guarded(absent(), put("x", "1")),
        guarded(absent(), put("x", "2")),
        guarded(present(), RowWrite::Delete { key: b"x".to_vec() }),
        guarded(present(), put("y", "")),
        guarded(absent(), put("x", "3")),
    ];
    let mut all = Box::pin(join_all(batches.map(|batch| store.commit(batch))));
    assert!(poll!(&mut all).is_pending());
    kv.open();
    let fits: Vec<bool> = all.await.iter().map(Result::is_ok).collect();
    assert_eq!(fits, [false, true, false, true, false, true]);
    assert_eq!(all_rows(&store).await, [(b"x".to_vec(), b"3".to_vec())]);
}

#[tokio::test]
async fn rows_beside_state_come_in_order_without_the_rest() {
    let store = Store::in_memory();
    let keys = ["a/1", "b/1", "b/2", "b/3", "c"];
    let batch = Batch {
        changes: vec![create_repository("hello")],
        ..rows(keys.iter().map(|key| put(key, key)).collect())
    };
    store.commit(batch).await.unwrap();
    let keys = async |prefix: &str, after: Option<&str>, limit| -> Vec<String> {
        let after = after.map(|after| after.as_bytes().to_vec());
        let found = store.range(prefix.as_bytes(), after, limit).await.unwrap();
        assert!(found.iter().all(|(key, value)| key == value));
        found.into_iter().map(|(key, _)| String::from_utf8(key).unwrap()).collect()
    };
    assert_eq!(keys("", None, 9).await, ["a/1", "b/1", "b/2", "b/3", "c"]);
    assert_eq!(keys("b/", None, 2).await, ["b/1", "b/2"]);
    assert_eq!(keys("b/", Some("b/2"), 9).await, ["b/3"]);
    assert_eq!(keys("d", None, 9).await, [""; 0]);
}

#[tokio::test]
async fn a_store_that_lost_its_lead_refuses_every_later_write_and_says_so() {
    let kv = Arc::new(MemoryKv::new());
    let store = on(&kv);
    store.apply(vec![create_repository("before")], at(1)).await.unwrap();
    let mut failed = Box::pin(store.failed());
    assert!(poll!(&mut failed).is_pending());
    let rival = on(&kv);
    assert!(rival.epoch() > store.epoch());
    for _ in 0..3 {
        let late = store.apply(vec![create_repository("late")], at(1)).await;
        assert!(matches!(late, Err(CommitError::Unavailable(_))), "{late:?}");
    }
    assert_eq!(failed.await, format!("epoch {} does not lead any more", store.epoch()));
    assert_eq!(store.state().revision(), StateRevision(1));
    assert_eq!(rival.apply(vec![create_repository("after")], at(1)).await, Ok(StateRevision(2)));
    assert!(rival.state().repository(&"late".parse().unwrap()).is_none());
}

#[tokio::test]
async fn after_a_failed_commit_nothing_is_answered_as_written() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    kv.fails.store(true, Ordering::SeqCst);
    let names = ["a", "b", "c", "d"];
    let mut all =
        Box::pin(join_all(names.map(|name| store.apply(vec![create_repository(name)], at(1)))));
    assert!(poll!(&mut all).is_pending());
    kv.open();
    for outcome in all.await {
        assert!(matches!(outcome, Err(CommitError::Unavailable(_))), "{outcome:?}");
    }
    kv.fails.store(false, Ordering::SeqCst);
    assert!(store.apply(vec![create_repository("e")], at(1)).await.is_err());
    assert_eq!(kv.commits(), 1, "what is on disk is not known, so nothing is tried again");
    assert_eq!(store.failed().await, "the store failed: the disk is gone");
    assert_eq!(store.state().revision(), StateRevision(0));
    store.close().await;
}

#[tokio::test]
async fn close_waits_for_what_was_handed_in_and_lets_nothing_more_in() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let other = store.clone();
    let mut writes =
        Box::pin(join_all((0..50_u8).map(|n| other.commit(rows(vec![put("n", &n.to_string())])))));
    assert!(poll!(&mut writes).is_pending());
    let mut close = Box::pin(store.close());
    assert!(poll!(&mut close).is_pending());
    kv.open();
    close.await;
    assert!(writes.await.iter().all(Result::is_ok));
    assert_eq!(kv.inner.get(b"b/n".to_vec()).await, Ok(Some(b"49".to_vec())));
    let late = other.commit(rows(vec![put("n", "late")])).await;
    assert!(matches!(late, Err(CommitError::Unavailable(_))));
    assert_eq!(other.get(b"n").await, Ok(Some(b"49".to_vec())), "a clone still reads");
    other.close().await;
}

#[tokio::test]
async fn a_store_is_its_owners_alone() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE);
    let mode = || std::fs::metadata(&path).unwrap().permissions().mode() & 0o777;
    Store::open(dir.path()).unwrap().close().await;
    assert_eq!(mode(), 0o600);
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    Store::open(dir.path()).unwrap().close().await;
    assert_eq!(mode(), 0o600, "an older one as well");
}

#[tokio::test]
async fn a_store_that_was_closed_opens_again_under_a_new_epoch() {
    let dir = tempfile::tempdir().unwrap();
    let mut epochs = Vec::new();
    for n in 1..=3 {
        let store = Store::open(dir.path()).unwrap();
        epochs.push(store.epoch());
        assert_eq!(store.state().revision(), StateRevision(n - 1));
        store.apply(vec![create_repository(&format!("n{n}"))], at(1)).await.unwrap();
        store.close().await;
    }
    assert!(epochs.is_sorted_by(|a, b| a < b), "{epochs:?}");
}

#[tokio::test]
async fn a_row_that_cannot_be_read_is_named() {
    let kv = Arc::new(MemoryKv::new());
    let epoch = kv.campaign().await.unwrap();
    let row = Write::Put { key: b"s/cluster/default".to_vec(), value: b"{".to_vec() };
    kv.commit(epoch, vec![vec![row]]).await.unwrap();
    let error = Store::on(kv, "/data", HistoryLimits::default()).unwrap_err();
    assert_eq!(error.to_string(), "the store in `/data` cannot be read");
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert_eq!(cause, "row `cluster/default` of the store cannot be read");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// With engines that lose the lead at random: what was answered stays, what was not is there wholly or not at all.
    #[test]
    fn a_store_rebuilds_an_equal_state_when_it_is_opened_again(
        lives in prop::collection::vec(
            prop::collection::vec(prop::collection::vec(changes(), 1..4), 1..16),
            1..4,
        ),
        seed in any::<u64>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let backend = ::redb::backends::InMemoryBackend::new();
        let engines: [Arc<dyn Kv>; 2] = [
            Arc::new(RedbKv::on_backend(backend).unwrap()),
            Arc::new(MemoryKv::unkind(seed)),
        ];
        runtime.block_on(async {
            for kv in engines {
                let mut expected = State::default();
                for life in lives.iter().cloned().chain([Vec::new()]) {
                    let store = Store::on(Arc::clone(&kv), "test", HistoryLimits::default()).unwrap();
                    prop_assert_eq!(texts(&store.state()), texts(&expected));
                    prop_assert_eq!(store.state().revision(), expected.revision());
                    for batch in std::iter::once(world()).chain(life) {
                        if live(&store, &mut expected, batch).await.is_none() {
                            break;
                        }
                        prop_assert_eq!(texts(&store.state()), texts(&expected));
                    }
                    store.close().await;
                }
            }
            Ok(())
        })?;
    }
}

/// Commits a batch and does the same to what is expected; None when the store has lost the lead.
async fn live(store: &Store, expected: &mut State, batch: Vec<Change>) -> Option<()> {
    let mut next = expected.clone();
    let fits = next.apply_all(&batch, at(5));
    match store.apply(batch, at(5)).await {
        Ok(revision) => {
            let moved = !fits.expect("the store took it, so it fits").is_empty();
            *expected = if moved { next.at(expected.revision().next()) } else { next };
            assert_eq!(revision, expected.revision());
        }
        Err(CommitError::Refused(refusal)) => {
            assert_eq!(fits.expect_err("the store refused it"), refusal);
        }
        Err(CommitError::Unavailable(_)) => return None,
        Err(
            error @ (CommitError::GuardFailed { key: _ }
            | CommitError::Unmet(_)
            | CommitError::TooLarge(_)),
        ) => {
            panic!("{error}");
        }
    }
    Some(())
}

#[test]
fn an_empty_file_is_not_taken_for_a_new_store() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    std::fs::File::create(&path).unwrap();
    assert!(RedbKv::open(&path).is_err());
    assert_eq!(std::fs::metadata(&path).unwrap().len(), 0);
}

#[test]
fn a_store_that_is_open_is_not_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let held = RedbKv::open(&path).unwrap();
    assert!(RedbKv::open(&path).is_err());
    drop(held);
    RedbKv::open(&path).unwrap();
}
