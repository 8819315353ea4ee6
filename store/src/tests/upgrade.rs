//! Stores of an older format, of a newer one, and of none yet.

use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::format::FILE;
use crate::format::{self, Found};
use crate::lead;
use crate::migration::Pace;

/// The formats that there were, each with a fixture of the last commit that wrote it.
const OLDER: [u32; 2] = [1, 2];

fn in_fixture(number: u32, file: &str) -> std::fs::File {
    let path = format!("{}/../tests/fixtures/format-{number}/{file}", env!("CARGO_MANIFEST_DIR"));
    std::fs::File::open(path).expect("the fixture is in the repository")
}

/// A server's directory with a store of that format: see the fixture's README.
pub(crate) fn fixture(number: u32) -> tempfile::TempDir {
    let archive = in_fixture(number, "data.tar.gz");
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    for entry in tar::Archive::new(flate2::read::GzDecoder::new(archive)).entries().expect("tar") {
        let mut entry = entry.expect("an entry");
        if entry.path().expect("a path").ends_with(Path::new("first/server").join(FILE)) {
            entry.unpack(dir.path().join(FILE)).expect("it can be unpacked");
        }
    }
    dir
}

/// Small batches, one in a commit: every one of them can be the last.
pub(crate) const SMALL: Pace = Pace { keys: 5, bytes: 4_096, batches: 1 };

fn open(dir: &Path) -> RedbKv {
    RedbKv::open(&dir.join(FILE)).expect("the file opens")
}

pub(crate) async fn pairs(kv: &dyn Kv) -> Vec<Pair> {
    kv.range(Range { limit: usize::MAX, ..Range::default() }).await.expect("the engine reads")
}

/// The same pairs on the engine of tests.
async fn in_memory(kv: &dyn Kv) -> Arc<MemoryKv> {
    let memory = Arc::new(MemoryKv::new());
    let epoch = memory.campaign().await.expect("nobody else leads");
    let all = pairs(kv).await.into_iter().map(|(key, value)| vec![Write::Put { key, value }]);
    memory.commit(epoch, all.collect()).await.expect("the engine writes");
    memory
}

fn names(dir: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(dir).expect("a directory");
    let mut names: Vec<String> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("ASCII"))
        .collect();
    names.sort();
    names
}

/// Pairs that an upgrade leaves alone, and what it makes of the others.
fn without_format(pairs: Vec<Pair>) -> Vec<Pair> {
    pairs.into_iter().filter(|(key, _)| key != key::FORMAT).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_is_upgraded_when_it_is_opened_and_kept_as_it_was() {
    for number in OLDER {
        is_upgraded_and_kept(number).await;
    }
}

async fn is_upgraded_and_kept(number: u32) {
    let dir = fixture(number);
    let old = open(dir.path());
    let (before, counts) = (pairs(&old).await, counts::count(&old).await.unwrap());
    assert!(matches!(format::read(&old).await, Ok(Found::Older(found)) if found.number == number));
    drop(old);

    let store = Store::open(dir.path()).unwrap();
    let history = store
        .history(HistoryQuery { about: model::history::About::All, after: None, limit: usize::MAX })
        .await
        .unwrap();
    assert_eq!(history.len() as u64, counts["history"], "every row of history reads");
    assert_eq!(store.state().tasks().count() as u64, counts["task"]);
    let epoch = store.epoch();
    let text = texts(&store.state());
    store.close().await;

    let copy = format!("{FILE}.before-{}", number + 1);
    assert_eq!(names(dir.path()), [FILE, copy.as_str()]);
    let kept = RedbKv::open(&dir.path().join(&copy)).unwrap();
    assert_eq!(pairs(&kept).await, before);
    let new = open(dir.path());
    assert_eq!(format::read(&new).await, Ok(Found::Current));
    let now = counts::count(&new).await.unwrap();
    assert_eq!(counts::compare(&counts, &now), Ok(()));
    assert!(now["service-revision"] >= now["service"] && !now.contains_key("none"));
    let after = without_format(pairs(&new).await);
    let rewritten = |key: &[u8]| key.starts_with(key::STATE) || key.starts_with(key::HISTORY);
    assert!(after.iter().filter(|(key, _)| rewritten(key)).all(|(_, value)| value[0] < 32));
    let beside = |pairs: &[Pair]| -> Vec<Pair> {
        pairs.iter().filter(|(key, _)| !rewritten(key)).cloned().collect()
    };
    let before = without_format(before);
    assert_eq!(beside(&after), beside(&before), "what has not changed its form is as it was");
    drop(new);

    let again = Store::open(dir.path()).unwrap();
    assert_eq!((again.epoch().0, texts(&again.state())), (epoch.0 + 1, text));
    again.close().await;
    assert_eq!(names(dir.path()), [FILE, copy.as_str()], "it is not upgraded twice");
}

/// What the program that made the fixture counted in it.
fn counted(number: u32, of: &str) -> BTreeMap<String, u64> {
    let mut all: BTreeMap<String, BTreeMap<String, u64>> =
        serde_json::from_reader(in_fixture(number, "counts.json")).expect("it is JSON");
    all.remove(of).unwrap_or_default()
}

/// How often each word is there.
fn counts(words: impl IntoIterator<Item = String>) -> BTreeMap<String, u64> {
    let mut counts = BTreeMap::new();
    for word in words {
        *counts.entry(word).or_default() += 1;
    }
    counts
}

fn word(value: impl serde::Serialize) -> String {
    let value = serde_json::to_value(value).expect("it can be written");
    value.as_str().expect("a word").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_old_store_holds_what_the_old_program_counted() {
    for number in OLDER {
        holds_what_was_counted(number).await;
    }
}

async fn holds_what_was_counted(number: u32) {
    let dir = fixture(number);
    let counted = |of: &str| counted(number, of);
    let store = Store::open(dir.path()).unwrap();
    let state = store.state();
    let kind = |key: &model::RowKey| key.to_string().split('/').next().map(ToOwned::to_owned);
    let (mut now, mut then) = (counts(state.row_keys().iter().filter_map(kind)), counted("state"));
    let routes = state.service_revisions().map(|one| one.rules().count()).max().unwrap();
    assert!(routes > 0 && now.remove("service-revision") >= now.get("service").copied());
    assert!(now.remove("rule") < then.remove("rule"), "what came with a service is a part of it");
    assert_eq!(now, then);
    for service in state.services() {
        let current = state.current_deployment(service).expect("each has a deployment");
        assert!(state.requested_revision(service).is_some(), "and that a revision");
        let rolls = current.rollout_state == model::RolloutState::InProgress;
        let mut tasks = state.tasks_of(service.id).filter(|task| task.wanted());
        assert!(rolls || tasks.all(|task| state.owns(current, task)), "no task is replaced");
    }
    let statuses = counts(state.tasks().map(|task| word(task.last_status())));
    assert_eq!(statuses, counted("taskStatus"));
    assert_eq!(statuses.len(), 7, "every status that a task can have");
    // One that was superseded is STOPPED now.
    let rollouts = state
        .deployments()
        .map(|deployment| word(deployment.rollout_state).replace("STOPPED", "FAILED"));
    assert_eq!(counts(rollouts), counted("rolloutState"));
    let all = HistoryQuery { about: model::history::About::All, after: None, limit: usize::MAX };
    let history = store.history(all).await.unwrap().into_iter().filter_map(|entry| match entry {
        History::Event(_) => Some("event".to_owned()),
        History::Task { task: _, service_name: _ } => Some("task".to_owned()),
        History::Deployment(_) => Some("deployment".to_owned()),
        // There was none yet.
        History::InstanceEvent(_) | History::Audit(_) => None,
    });
    assert_eq!(counts(history), counted("history"));
    let beside = all_rows(&store).await.into_iter().map(|(key, _)| {
        String::from_utf8_lossy(key.split(|byte| *byte == b'/').next().expect("a part"))
            .into_owned()
    });
    assert_eq!(counts(beside), counted("besideState"));
    assert!(state.join_tokens().any(|token| token.uses_left == 0), "used tokens");
    let overridden = |task: &&model::Task| !task.overrides.container_overrides.is_empty();
    assert!(state.tasks().any(|task| overridden(&task)), "overrides");
    assert!(state.services().any(|service| service.placement_failure.is_some()), "no room");
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_engine_and_every_pace_come_to_the_same_rows() {
    let dir = fixture(1);
    let old = open(dir.path());
    let (slow, fast) = (in_memory(&old).await, in_memory(&old).await);
    drop(old);
    lead::take(&*slow, "memory", SMALL).await.unwrap();
    lead::take(&*fast, "memory", Pace::default()).await.unwrap();
    let file = open(dir.path());
    lead::take(&file, "file", Pace { keys: 1, batches: 7, ..SMALL }).await.unwrap();
    let expected = pairs(&file).await;
    assert_eq!(pairs(&*slow).await, expected);
    assert_eq!(pairs(&*fast).await, expected);
    assert!(slow.revision().await.unwrap() > fast.revision().await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_of_a_newer_format_is_refused_and_left_alone() {
    let begun = r#"{"number":3,"writtenBy":"0.7.0","upgrade":{"to":4,"counts":{}}}"#;
    for (row, found) in [(r#"{"number":9,"writtenBy":"0.7.0","more":[1]}"#, 9), (begun, 4)] {
        let dir = fixture(1);
        let kv = open(dir.path());
        let epoch = kv.campaign().await.unwrap();
        let row = Write::Put { key: key::FORMAT.to_vec(), value: row.into() };
        kv.commit(epoch, vec![vec![row]]).await.unwrap();
        let before = pairs(&kv).await;
        let memory = in_memory(&kv).await;
        drop(kv);
        let path = dir.path().display();
        let expected = format!(
            "the store in `{path}` has format {found}, of berth 0.7.0, and this program reads formats up to 3: use berth \
             0.7.0 or newer, or go back to the copy `store.redb.before-4`, made when the store left format 3"
        );
        assert_eq!(Store::open(dir.path()).unwrap_err().to_string(), expected);
        let kv = open(dir.path());
        assert_eq!(pairs(&kv).await, before);
        assert_eq!(kv.campaign().await, Ok(Epoch(epoch.0 + 1)), "who refuses takes no lead");
        assert_eq!(names(dir.path()), [FILE]);
        let limits = HistoryLimits::default();
        assert!(matches!(Store::on(memory, "memory", limits), Err(OpenError::TooNew { .. })));
    }
}

#[tokio::test]
async fn history_that_cannot_be_read_stays_as_it_is() {
    let kv = MemoryKv::new();
    let epoch = kv.campaign().await.unwrap();
    let key = key::history(key::HISTORY, at(1), 1);
    let write = Write::Put { key: key.clone(), value: b"{\"kind\":\"eclipse\"}".to_vec() };
    kv.commit(epoch, vec![vec![write]]).await.unwrap();
    lead::take(&kv, "memory", SMALL).await.unwrap();
    assert_eq!(format::read(&kv).await, Ok(Found::Current));
    assert_eq!(kv.get(key).await, Ok(Some(b"{\"kind\":\"eclipse\"}".to_vec())));
}

#[tokio::test]
async fn a_format_that_cannot_be_read_is_named() {
    let kv = Arc::new(MemoryKv::new());
    let epoch = kv.campaign().await.unwrap();
    let row = Write::Put { key: key::FORMAT.to_vec(), value: b"two".to_vec() };
    kv.commit(epoch, vec![vec![row]]).await.unwrap();
    let error = Store::on(kv, "/data", HistoryLimits::default()).unwrap_err();
    let expected =
        "the store in `/data` does not say which format it has: that is written as `two`";
    assert_eq!(error.to_string(), expected);
}

#[tokio::test]
async fn a_new_store_says_its_format_with_its_first_commit() {
    let kv = Arc::new(MemoryKv::new());
    let store = on(&kv);
    assert_eq!(format::read(&*kv).await, Ok(Found::Empty), "opening alone writes nothing");
    store.commit(rows(vec![put("row", "")])).await.unwrap();
    assert_eq!(format::read(&*kv).await, Ok(Found::Current));
    let revision = kv.revision().await;
    on(&kv).commit(rows(Vec::new())).await.unwrap();
    assert_eq!(kv.revision().await, revision);
}

/// An engine without room for a copy.
#[derive(Debug)]
struct FullKv(MemoryKv);

impl Kv for FullKv {
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>> {
        self.0.campaign()
    }

    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>> {
        self.0.get(key)
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>> {
        self.0.range(range)
    }

    fn commit(
        &self,
        epoch: Epoch,
        batches: Vec<Vec<Write>>,
    ) -> BoxFuture<'_, Result<u64, KvError>> {
        self.0.commit(epoch, batches)
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        self.0.revision()
    }

    fn keep_copy(&self, _: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        let full =
            KvError::NoRoom { dir: "/data".to_owned(), needed_bytes: 300 << 20, free_bytes: 7 };
        futures_util::future::ready(Err(full)).boxed()
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        self.0.watch(from)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_cannot_be_copied_is_not_touched() {
    let old = in_memory(&open(fixture(1).path())).await;
    let full = FullKv(Arc::into_inner(old).expect("nobody else has it"));
    let before = (pairs(&full).await, full.revision().await);
    let error = lead::take(&full, "/data", SMALL).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("needs 300 MiB free, and 0 MiB are"), "{cause}");
    assert_eq!((pairs(&full).await, full.revision().await), before);
    assert_eq!(full.campaign().await, Ok(Epoch(2)), "who refuses takes no lead");
}

#[tokio::test]
async fn an_upgrade_that_would_lose_rows_stops() {
    let kv = MemoryKv::new();
    let epoch = kv.campaign().await.unwrap();
    let begun = r#"{"number":1,"writtenBy":"0.1.0","upgrade":{"to":3,"counts":{"task":3}}}"#;
    let row = Write::Put { key: key::FORMAT.to_vec(), value: begun.into() };
    kv.commit(epoch, vec![vec![row]]).await.unwrap();
    let error = lead::take(&kv, "/data", SMALL).await.unwrap_err();
    let expected = "the upgrade of the store in `/data` stopped: there were 3 rows `task`, and now there are 0";
    assert_eq!(error.to_string(), expected);
    assert!(matches!(format::read(&kv).await, Ok(Found::Older(_))));
}
