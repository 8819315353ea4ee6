//! Batches that are too large, and history: what is kept of it and how it is found.

use model::history::About;
use model::{HistoryQuery, TaskChange};

use super::*;

/// A store with a service, and how many rows of history it has by then.
async fn with_service<K: Kv>(kv: &Arc<K>, limits: HistoryLimits) -> (Store, usize) {
    let store = with_limits(kv, limits);
    if store.state().row_keys().is_empty() {
        store.apply(world(), at(1)).await.expect("the world fits");
    }
    let rows = messages(&store).await.len();
    (store, rows)
}

/// What happened to the first service, newest first.
async fn messages(store: &Store) -> Vec<String> {
    let history = store.history(HistoryQuery::of_service(service_id(0), usize::MAX)).await;
    let event = |row| match row {
        History::Event(event) => Some(event.message),
        History::InstanceEvent(_)
        | History::Task { task: _, service_name: _ }
        | History::Deployment(_)
        | History::Audit(_) => None,
    };
    history.expect("the engine reads").into_iter().filter_map(event).collect()
}

fn limits(rows: usize, seconds: u64) -> HistoryLimits {
    HistoryLimits { rows, audit_rows: rows, age: std::time::Duration::from_secs(seconds) }
}

#[tokio::test]
async fn a_batch_that_is_too_large_applies_nothing_and_the_next_one_fits() {
    let kv = Arc::new(MemoryKv::new());
    let (store, _) = with_service(&kv, HistoryLimits::default()).await;
    let before = (texts(&store.state()), kv.revision().await);
    let many = (0..=model::limits::BATCH_ROWS).map(|n| put(&n.to_string(), "")).collect();
    let large = vec![put("k", &"x".repeat(model::limits::BATCH_BYTES))];
    let twice = vec![put("k", "1"), RowWrite::Delete { key: b"k".to_vec() }];
    for (rows, why) in [
        (many, "touches more than 100 keys"),
        (large, "is larger than 1 MiB"),
        (twice, "touches a key twice"),
    ] {
        let batch = Batch { changes: vec![scale(0, 7)], rows, ..Batch::of(Vec::new(), at(2)) };
        assert_eq!(store.commit(batch).await.unwrap_err(), CommitError::TooLarge(why));
        let after = (texts(&store.state()), kv.revision().await);
        assert_eq!(after, before, "{why}");
        assert!(all_rows(&store).await.is_empty());
    }
    assert!(store.apply(vec![scale(0, 7)], at(2)).await.is_ok());
}

#[tokio::test]
async fn a_batch_that_was_refused_for_its_size_does_not_push_history_out() {
    let kv = GatedKv::shut();
    kv.gate.add_permits(1);
    let (store, rows) = with_service(&kv, limits(100, 1_000_000)).await;
    kv.arrived.notified().await;
    let large = |n: u32| Batch {
        rows: (0..=model::limits::BATCH_ROWS).map(|n| put(&n.to_string(), "")).collect(),
        ..Batch::of(vec![scale(0, n + 2)], at(2))
    };
    // The second and third wait behind the first, and so come together.
    let mut all = Box::pin(tokio::task::unconstrained(async {
        tokio::join!(
            store.apply(vec![scale(0, 9)], at(2)),
            join_all((0..150_u32).map(|n| store.commit(large(n)))),
            store.apply(vec![scale(0, 8)], at(2)),
        )
    }));
    assert!(poll!(&mut all).is_pending());
    kv.arrived.notified().await;
    kv.open();
    let (first, refused, last) = all.await;
    assert!(first.is_ok() && last.is_ok() && refused.iter().all(Result::is_err));
    store.apply(vec![scale(0, 7)], at(2)).await.unwrap();
    assert_eq!(messages(&store).await.len(), rows + 3);
}

#[tokio::test]
async fn history_comes_newest_first_and_by_what_it_is_about() {
    let (store, _) = with_service(&Arc::new(MemoryKv::new()), HistoryLimits::default()).await;
    for (n, millis) in [(0, 10), (1, 20), (0, 30), (0, 30), (1, 40)] {
        let desired = store.state().service(service_id(n)).unwrap().desired_count + 1;
        store.apply(vec![scale(n, desired)], at(millis)).await.unwrap();
    }
    assert_eq!(
        messages(&store).await[..3],
        ["from 3 to 4", "from 2 to 3", "from 1 to 2"]
            .map(|change| { format!("(service service-0) desired count changed {change}") })
    );
    let newest = store.history(HistoryQuery { limit: 2, ..EVERYTHING }).await.unwrap();
    let at: Vec<i64> = newest.iter().map(|row| row.at().as_millis()).collect();
    assert_eq!(at, [40, 30]);
    assert_eq!(store.history(HistoryQuery::of_task(task_id(0))).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_task_that_left_state_is_found_in_history() {
    let (store, _) = with_service(&Arc::new(MemoryKv::new()), HistoryLimits::default()).await;
    let id = task_id(0);
    let stop = Change::from(TaskChange::Stop {
        task: id,
        stopped: model::Stopped::new(model::StopCause::UserRequest, "by hand"),
    });
    let changes =
        vec![TaskChange::Create(task(0, None)).into(), stop, TaskChange::Forget(id).into()];
    store.apply(changes, at(7)).await.unwrap();
    assert!(store.state().task(id).is_none());
    let found = store.history(HistoryQuery::of_task(id)).await.unwrap();
    assert_eq!(found.iter().map(History::task).collect::<Vec<_>>(), [Some(id)]);
}

#[tokio::test]
async fn no_more_history_is_kept_than_the_limit_says() {
    let kv = GatedKv::shut();
    kv.open();
    let (store, _) = with_service(&kv, limits(20, 1_000_000)).await;
    let before = kv.commits();
    for n in 0..100 {
        store.apply(vec![scale(0, n + 2)], at(i64::from(n))).await.unwrap();
        assert!(store.history(EVERYTHING).await.unwrap().len() <= 20);
    }
    assert_eq!(kv.commits() - before, 100, "removing costs no commit of its own");
    let kept = messages(&store).await;
    assert_eq!(kept.len(), 20);
    assert!(kept[0].ends_with("from 100 to 101"), "the newest stay: {kept:?}");
}

#[tokio::test]
async fn more_history_than_one_batch_may_remove_goes_too() {
    let kv = Arc::new(MemoryKv::new());
    let (store, _) = with_service(&kv, limits(1_000, 1_000_000)).await;
    for n in 0..400 {
        store.apply(vec![scale(0, n + 2)], at(2)).await.unwrap();
    }
    store.close().await;
    let (store, rows) = with_service(&kv, limits(10, 1_000_000)).await;
    assert!(rows >= 400);
    store.apply(vec![scale(0, 1)], at(2)).await.unwrap();
    assert_eq!(store.history(EVERYTHING).await.unwrap().len(), 10);
    assert_eq!(messages(&store).await.len(), 10);
    let index = Range { prefix: b"i/".to_vec(), limit: usize::MAX, ..Range::default() };
    assert_eq!(kv.range(index).await.unwrap().len(), 10, "what found the others is gone too");
}

#[tokio::test]
async fn history_that_is_too_old_goes_with_time() {
    let (store, rows) = with_service(&Arc::new(MemoryKv::new()), limits(1_000, 60)).await;
    assert!(rows > 0);
    // Looked at now and then, not at every commit.
    for n in 0..64 {
        store.apply(vec![scale(1, n + 2)], at(100_000)).await.unwrap();
    }
    assert_eq!(messages(&store).await, [""; 0]);
    let left = store.history(EVERYTHING).await.unwrap();
    assert!(left.len() >= 60 && left.iter().all(|row| row.at() == at(100_000)));
}

#[tokio::test]
async fn history_of_one_life_does_not_overwrite_that_of_another() {
    let kv = Arc::new(MemoryKv::new());
    for life in 0..5 {
        let (store, rows) = with_service(&kv, HistoryLimits::default()).await;
        store.apply(vec![scale(0, 2)], at(2)).await.unwrap();
        store.apply(vec![scale(0, 1)], at(2)).await.unwrap();
        assert_eq!(messages(&store).await.len(), rows + 2, "life {life}");
        store.close().await;
    }
}

/// With every other service, too.
const EVERYTHING: HistoryQuery = HistoryQuery { about: About::All, limit: usize::MAX, after: None };
