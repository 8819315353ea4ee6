//! What every engine promises, run against each of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::FutureExt as _;
use futures_util::future::join_all;
use model::Epoch;
use model::limits::{BATCH_BYTES, BATCH_ROWS};
use proptest::prelude::*;

use super::memory::MemoryKv;
use super::redb::RedbKv;
use super::{Committed, Kv, KvError, Pair, Range, Watch, Write};

/// An engine under test, and the directory that it lives in.
struct Engine {
    kv: Arc<dyn Kv>,
    _dir: Option<tempfile::TempDir>,
}

fn memory() -> Engine {
    Engine { kv: Arc::new(MemoryKv::new()), _dir: None }
}

fn redb() -> Engine {
    let dir = tempfile::tempdir().expect("a temporary directory can be made");
    let kv = RedbKv::open(&dir.path().join("store.redb")).expect("a new file opens");
    Engine { kv: Arc::new(kv), _dir: Some(dir) }
}

fn redb_without_file() -> Arc<dyn Kv> {
    let backend = ::redb::backends::InMemoryBackend::new();
    Arc::new(RedbKv::on_backend(backend).expect("an empty backend opens"))
}

macro_rules! every_engine {
    ($($promise:ident),+ $(,)?) => {
        mod on_memory {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(&*super::memory().kv).await;
            })+
        }
        mod on_redb {
            $(#[tokio::test(flavor = "multi_thread")]
            async fn $promise() {
                super::$promise(&*super::redb().kv).await;
            })+
        }
    };
}

every_engine! {
    pairs_come_in_key_order,
    a_range_ends_at_its_prefix_its_limit_and_its_bounds,
    a_range_that_holds_nothing_is_empty,
    a_batch_sets_and_removes_at_once,
    a_batch_out_of_bounds_writes_nothing,
    a_batch_at_its_bounds_is_taken,
    the_revision_counts_batches,
    a_new_campaign_fences_off_the_old_one,
    an_epoch_that_never_led_writes_nothing,
    a_watch_begins_where_it_is_told,
    a_watch_that_asks_for_what_is_gone_is_told_so,
    what_is_kept_for_watches_is_bounded_in_bytes_too,
    a_waiting_watch_wakes_at_a_commit,
    concurrent_commits_come_in_one_order,
}

fn put(key: impl Into<Vec<u8>>, value: impl Into<Vec<u8>>) -> Write {
    Write::Put { key: key.into(), value: value.into() }
}

fn delete(key: impl Into<Vec<u8>>) -> Write {
    Write::Delete { key: key.into() }
}

fn all() -> Range {
    Range { limit: usize::MAX, ..Range::default() }
}

async fn lead(kv: &dyn Kv) -> Epoch {
    kv.campaign().await.expect("nobody hinders it")
}

async fn write(kv: &dyn Kv, epoch: Epoch, writes: Vec<Write>) -> u64 {
    kv.commit(epoch, vec![writes]).await.expect("the leader writes")
}

async fn pairs(kv: &dyn Kv, range: Range) -> Vec<Pair> {
    kv.range(range).await.expect("the engine reads")
}

async fn keys(kv: &dyn Kv, range: Range) -> Vec<String> {
    let pairs = pairs(kv, range).await;
    pairs.into_iter().map(|(key, _)| String::from_utf8_lossy(&key).into_owned()).collect()
}

/// What the watch has at once.
fn at_once(watch: &mut Watch) -> Option<Result<Vec<Committed>, KvError>> {
    watch.next().now_or_never()
}

async fn pairs_come_in_key_order(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let unordered: [&[u8]; 6] = [b"b", b"", b"a\xff", b"a", b"\xff", b"a\0"];
    write(kv, epoch, unordered.iter().map(|key| put(*key, *key)).collect()).await;
    let found: Vec<Vec<u8>> = pairs(kv, all()).await.into_iter().map(|(key, _)| key).collect();
    let ordered: [&[u8]; 6] = [b"", b"a", b"a\0", b"a\xff", b"b", b"\xff"];
    assert_eq!(found, ordered);
    let backwards = pairs(kv, Range { reverse: true, ..all() }).await;
    assert_eq!(backwards.into_iter().rev().map(|(key, _)| key).collect::<Vec<_>>(), ordered);
}

async fn a_range_ends_at_its_prefix_its_limit_and_its_bounds(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let present = ["a/1", "b/1", "b/2", "b/3", "b0", "c/1"];
    write(kv, epoch, present.iter().map(|key| put(*key, "")).collect()).await;
    let range = |after: Option<&str>, limit, reverse| Range {
        prefix: b"b/".to_vec(),
        after: after.map(Into::into),
        limit,
        reverse,
    };
    for (after, limit, reverse, expected) in [
        (None, usize::MAX, false, &["b/1", "b/2", "b/3"][..]),
        (None, usize::MAX, true, &["b/3", "b/2", "b/1"]),
        (None, 2, false, &["b/1", "b/2"]),
        (None, 2, true, &["b/3", "b/2"]),
        (Some("b/1"), usize::MAX, false, &["b/2", "b/3"]),
        (Some("b/3"), usize::MAX, true, &["b/2", "b/1"]),
        (Some("b/2"), 1, false, &["b/3"]),
        (Some("b/2"), 1, true, &["b/1"]),
        (Some("b/11"), usize::MAX, false, &["b/2", "b/3"]),
        (Some("a"), usize::MAX, false, &["b/1", "b/2", "b/3"]),
        (Some("z"), usize::MAX, true, &["b/3", "b/2", "b/1"]),
    ] {
        assert_eq!(keys(kv, range(after, limit, reverse)).await, expected, "{after:?} {reverse}");
    }
}

async fn a_range_that_holds_nothing_is_empty(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    write(kv, epoch, vec![put("b/1", "")]).await;
    let nothing = [
        Range { prefix: b"b/2".to_vec(), ..all() },
        Range { prefix: b"b/1".to_vec(), after: Some(b"b/1".to_vec()), ..all() },
        Range { prefix: b"b/1".to_vec(), after: Some(b"b/1".to_vec()), reverse: true, ..all() },
        Range { prefix: b"b/".to_vec(), after: Some(b"z".to_vec()), ..all() },
        Range { prefix: b"b/".to_vec(), after: Some(b"a".to_vec()), reverse: true, ..all() },
        Range { prefix: vec![0xff, 0xff], ..all() },
        Range { limit: 0, ..all() },
    ];
    for range in nothing {
        assert!(pairs(kv, range.clone()).await.is_empty(), "{range:?}");
    }
    assert_eq!(kv.get(b"b/".to_vec()).await, Ok(None));
}

async fn a_batch_sets_and_removes_at_once(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    write(kv, epoch, vec![put("old", "1"), put("both", "1")]).await;
    let second = vec![put("new", "2"), put("both", "2"), delete("old"), delete("never there")];
    kv.commit(epoch, vec![second, vec![delete("new"), put("last", "3")]]).await.unwrap();
    assert_eq!(pairs(kv, all()).await, [("both", "2"), ("last", "3")].map(owned));
    assert_eq!(kv.get(b"both".to_vec()).await, Ok(Some(b"2".to_vec())));
    assert_eq!(kv.get(b"old".to_vec()).await, Ok(None));
}

fn owned((key, value): (&str, &str)) -> Pair {
    (key.into(), value.into())
}

async fn a_batch_out_of_bounds_writes_nothing(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let many = (0..=BATCH_ROWS).map(|n| put(n.to_string(), "")).collect();
    let large = vec![put("k", vec![0; BATCH_BYTES])];
    let twice = vec![put("k", "1"), delete("k")];
    for batch in [many, large, twice] {
        let outcome = kv.commit(epoch, vec![vec![put("fits", "")], batch]).await;
        assert!(matches!(outcome, Err(KvError::OutOfBounds(_))), "{outcome:?}");
    }
    assert_eq!((pairs(kv, all()).await, kv.revision().await), (Vec::new(), Ok(0)));
}

async fn a_batch_at_its_bounds_is_taken(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let many = (0..BATCH_ROWS).map(|n| put(n.to_string(), "")).collect();
    let large = vec![put("k", vec![7; BATCH_BYTES - 1])];
    kv.commit(epoch, vec![many, large]).await.unwrap();
    assert_eq!(pairs(kv, all()).await.len(), BATCH_ROWS + 1);
    assert_eq!(kv.get(b"k".to_vec()).await, Ok(Some(vec![7; BATCH_BYTES - 1])));
}

async fn the_revision_counts_batches(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    assert_eq!(kv.revision().await, Ok(0));
    assert_eq!(write(kv, epoch, vec![put("a", "")]).await, 1);
    let batches = vec![vec![put("a", "")], vec![put("b", "")], vec![delete("nothing")]];
    assert_eq!(kv.commit(epoch, batches).await, Ok(4));
    assert_eq!(kv.commit(epoch, Vec::new()).await, Ok(4));
    let epoch = lead(kv).await;
    assert_eq!(kv.revision().await, Ok(4), "a campaign is no batch");
    assert_eq!(write(kv, epoch, vec![put("c", "")]).await, 5);
    assert_eq!(kv.revision().await, Ok(5));
}

async fn a_new_campaign_fences_off_the_old_one(kv: &dyn Kv) {
    let old = lead(kv).await;
    write(kv, old, vec![put("a", "old")]).await;
    let mut watch = kv.watch(1).await.unwrap();
    let new = lead(kv).await;
    assert!(new > old);
    for _ in 0..2 {
        let refused = kv.commit(old, vec![vec![put("a", "late")], vec![put("b", "late")]]).await;
        assert_eq!(refused, Err(KvError::LostLeadership { held: old }));
    }
    assert_eq!(pairs(kv, all()).await, [("a", "old")].map(owned));
    assert_eq!(kv.revision().await, Ok(1));
    assert_eq!(at_once(&mut watch), None);
    assert_eq!(write(kv, new, vec![put("a", "new")]).await, 2);
}

async fn an_epoch_that_never_led_writes_nothing(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    for held in [Epoch(0), Epoch(epoch.0 + 1)] {
        let refused = kv.commit(held, vec![vec![put("a", "")]]).await;
        assert_eq!(refused, Err(KvError::LostLeadership { held }));
    }
    assert!(pairs(kv, all()).await.is_empty());
}

async fn a_watch_begins_where_it_is_told(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let batch = |n: u64| vec![put("n", n.to_string()), put(n.to_string(), "")];
    let committed = |n: u64| Committed { revision: n, writes: batch(n) };
    kv.commit(epoch, (1..=3).map(batch).collect()).await.unwrap();
    for from in 0..=3 {
        let mut watch = kv.watch(from).await.unwrap();
        let expected: Vec<Committed> = (from + 1..=3).map(committed).collect();
        let seen = at_once(&mut watch).transpose().unwrap().unwrap_or_default();
        assert_eq!(seen, expected, "from {from}");
        assert_eq!(at_once(&mut watch), None);
    }
    let mut watch = kv.watch(2).await.unwrap();
    write(kv, epoch, batch(4)).await;
    assert_eq!(watch.next().await, Ok(vec![committed(3), committed(4)]));
    write(kv, epoch, batch(5)).await;
    assert_eq!(watch.next().await, Ok(vec![committed(5)]));
}

async fn a_watch_that_asks_for_what_is_gone_is_told_so(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let mut slow = kv.watch(0).await.unwrap();
    assert_eq!(kv.watch(1).await.unwrap_err(), KvError::Compacted, "that revision is to come");
    assert_eq!(kv.watch(u64::MAX).await.unwrap_err(), KvError::Compacted);
    // More than either engine keeps.
    let batches = (0..10_001_u32).map(|n| vec![put(n.to_string(), "")]).collect();
    let last = kv.commit(epoch, batches).await.unwrap();
    assert_eq!(slow.next().await, Err(KvError::Compacted));
    assert_eq!(slow.next().await, Err(KvError::Compacted), "it stays behind");
    assert_eq!(kv.watch(0).await.unwrap_err(), KvError::Compacted);
    let mut again = kv.watch(last).await.unwrap();
    write(kv, epoch, vec![put("next", "")]).await;
    assert_eq!(again.next().await.unwrap()[0].revision, last + 1);
}

async fn what_is_kept_for_watches_is_bounded_in_bytes_too(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    for _ in 0..33 {
        write(kv, epoch, vec![put("k", vec![0; BATCH_BYTES - 1])]).await;
    }
    assert_eq!(kv.watch(0).await.unwrap_err(), KvError::Compacted);
    let mut recent = kv.watch(31).await.unwrap();
    assert_eq!(recent.next().await.unwrap().len(), 2);
}

async fn a_waiting_watch_wakes_at_a_commit(kv: &dyn Kv) {
    let epoch = lead(kv).await;
    let mut watches = join_all([0, 0, 0].map(|from| kv.watch(from))).await;
    let waiting = join_all(watches.iter_mut().map(|watch| watch.as_mut().unwrap().next()));
    let (seen, _) = tokio::join!(waiting, write(kv, epoch, vec![put("a", "")]));
    for commits in seen {
        assert_eq!(commits.unwrap()[0].revision, 1);
    }
}

async fn concurrent_commits_come_in_one_order(kv: &dyn Kv) {
    const WRITERS: u64 = 8;
    const EACH: u64 = 40;
    let epoch = lead(kv).await;
    let mut watch = kv.watch(0).await.unwrap();
    let writer = async |writer: u64| {
        for n in 0..EACH {
            let name = |part| put(format!("{writer}/{part}"), n.to_string());
            let batches = vec![vec![name("a"), name("b"), put("last", writer.to_string())]];
            kv.commit(epoch, batches).await.expect("the leader writes");
        }
    };
    let watcher = async {
        let mut mirror = BTreeMap::new();
        let mut seen = 0;
        while seen < WRITERS * EACH {
            for Committed { revision, writes } in watch.next().await.expect("it keeps up") {
                seen += 1;
                assert_eq!(revision, seen, "every commit once and in order");
                replay(&mut mirror, writes);
                assert!((0..WRITERS).all(|w| {
                    let part = |part| mirror.get(format!("{w}/{part}").as_bytes());
                    part("a") == part("b")
                }));
            }
        }
        mirror
    };
    let (mirror, _) = tokio::join!(watcher, join_all((0..WRITERS).map(writer)));
    assert_eq!(pairs(kv, all()).await, mirror.into_iter().collect::<Vec<_>>());
}

fn replay(mirror: &mut BTreeMap<Vec<u8>, Vec<u8>>, writes: Vec<Write>) {
    for write in writes {
        match write {
            Write::Put { key, value } => drop(mirror.insert(key, value)),
            Write::Delete { key } => drop(mirror.remove(&key)),
        }
    }
}

/// The pairs of a range, by looking at every pair.
fn selected(pairs: &BTreeMap<Vec<u8>, Vec<u8>>, range: &Range) -> Vec<Pair> {
    let wanted = |key: &Vec<u8>| {
        let behind = |after: &Vec<u8>| if range.reverse { key < after } else { key > after };
        key.starts_with(&range.prefix) && range.after.as_ref().is_none_or(behind)
    };
    let mut found: Vec<Pair> =
        pairs.iter().filter(|(key, _)| wanted(key)).map(|(k, v)| (k.clone(), v.clone())).collect();
    if range.reverse {
        found.reverse();
    }
    found.truncate(range.limit);
    found
}

/// Few and short, with the ends of what a byte can be.
fn key() -> impl Strategy<Value = Vec<u8>> {
    prop::collection::vec(prop::sample::select(vec![0, b'a', b'b', 0xfe, 0xff]), 0..4)
}

fn batch() -> impl Strategy<Value = Vec<Write>> {
    prop::collection::btree_map(key(), prop::option::of(any::<[u8; 2]>()), 0..6).prop_map(|rows| {
        let write = |(key, value): (Vec<u8>, Option<[u8; 2]>)| match value {
            Some(value) => put(key, value),
            None => delete(key),
        };
        rows.into_iter().map(write).collect()
    })
}

fn range() -> impl Strategy<Value = Range> {
    let limit = prop_oneof![Just(usize::MAX), 0_usize..5];
    (key(), prop::option::of(key()), limit, any::<bool>())
        .prop_map(|(prefix, after, limit, reverse)| Range { prefix, after, limit, reverse })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn an_engine_is_an_ordered_map(
        commits in prop::collection::vec(prop::collection::vec(batch(), 1..4), 1..8),
        ranges in prop::collection::vec(range(), 1..24),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        for kv in [memory().kv, redb_without_file()] {
            let mut map = BTreeMap::new();
            runtime.block_on(async {
                let epoch = lead(&*kv).await;
                for batches in &commits {
                    kv.commit(epoch, batches.clone()).await.unwrap();
                    for batch in batches {
                        replay(&mut map, batch.clone());
                    }
                }
                for range in &ranges {
                    prop_assert_eq!(pairs(&*kv, range.clone()).await, selected(&map, range));
                }
                Ok(())
            })?;
        }
    }
}

/// The engine for tests is as unkind as it says, and no more than that.
#[tokio::test]
async fn an_unkind_engine_loses_leadership_and_compacts_but_loses_no_commit() {
    let (mut losses, mut compactions) = (0, 0);
    for seed in 0..50 {
        let kv = MemoryKv::unkind(seed);
        let mut epoch = lead(&kv).await;
        let mut watch = kv.watch(0).await.unwrap();
        let (mut written, mut mirror) = (BTreeMap::new(), BTreeMap::new());
        for n in 0..60_u8 {
            let batch = vec![put([n % 7], [n]), delete([n % 5 + 7])];
            match kv.commit(epoch, vec![batch.clone()]).await {
                Ok(_) => replay(&mut written, batch),
                Err(error) => {
                    assert_eq!(error, KvError::LostLeadership { held: epoch });
                    losses += 1;
                    epoch = lead(&kv).await;
                }
            }
            if n % 4 != 0 {
                continue;
            }
            // As a standby does: follow, or read everything again.
            match at_once(&mut watch) {
                None => {}
                Some(Ok(commits)) => {
                    for commit in commits {
                        replay(&mut mirror, commit.writes);
                    }
                }
                Some(Err(error)) => {
                    assert_eq!(error, KvError::Compacted);
                    compactions += 1;
                    watch = kv.watch(kv.revision().await.unwrap()).await.unwrap();
                    mirror = pairs(&kv, all()).await.into_iter().collect();
                }
            }
            assert_eq!(mirror, written, "seed {seed}");
        }
        assert_eq!(pairs(&kv, all()).await, written.into_iter().collect::<Vec<_>>());
    }
    assert!(losses > 0 && compactions > 0, "{losses} losses and {compactions} compactions");
}

#[tokio::test]
async fn a_file_holds_what_was_committed_when_it_is_opened_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let first = RedbKv::open(&path).unwrap();
    assert!(RedbKv::open(&path).is_err(), "one process at a time");
    let epoch = lead(&first).await;
    write(&first, epoch, vec![put("a", "1")]).await;
    drop(first);
    let second = RedbKv::open(&path).unwrap();
    assert_eq!(pairs(&second, all()).await, [("a", "1")].map(owned));
    assert_eq!(second.revision().await, Ok(1));
    assert_eq!(second.watch(0).await.unwrap_err(), KvError::Compacted);
    let refused = second.commit(Epoch(epoch.0 + 1), vec![vec![put("a", "2")]]).await;
    assert!(refused.is_err(), "who opens does not lead yet");
    assert!(lead(&second).await > epoch);
}

/// redb itself refuses a file that it was interrupted in making.
#[test]
fn a_file_that_was_never_finished_is_made_again() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let half = std::fs::File::create(path.with_extension("new")).unwrap();
    half.set_len(1 << 20).unwrap();
    drop(RedbKv::open(&path).unwrap());
    let names: Vec<_> =
        std::fs::read_dir(dir.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(names, ["store.redb"]);
    RedbKv::open(&path).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_commits_come_in_one_order_also_when_they_are_fast() {
    for _ in 0..10 {
        concurrent_commits_come_in_one_order(&*redb_without_file()).await;
    }
}
