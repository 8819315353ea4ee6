//! What must hold of State when a batch's turn comes, and what is remembered of it.

use model::history::{About, AuditEvent, HistoryQuery};
use model::{AuditOutcome, Precondition, Principal, Unmet};

use super::*;

fn audit(request: &str) -> History {
    History::Audit(AuditEvent {
        at: at(1),
        principal: Principal::User("admin".to_owned()),
        operation: "PutManifest".to_owned(),
        action: "repository:Push".to_owned(),
        resource: "repository/hello".to_owned(),
        source: None,
        request_id: request.to_owned(),
        outcome: AuditOutcome::Succeeded,
    })
}

async fn requests(store: &Store) -> Vec<String> {
    let query = HistoryQuery { about: About::Audit, limit: usize::MAX, after: None };
    let rows = store.history(query).await.expect("the engine reads").into_iter();
    let request = |row| match row {
        History::Audit(event) => event.request_id,
        History::Event(_)
        | History::InstanceEvent(_)
        | History::Task { .. }
        | History::Deployment(_) => {
            panic!("that is about something else")
        }
    };
    rows.map(request).collect()
}

/// A batch that needs a repository to be there.
fn needs(repository: &str, changes: Vec<Change>) -> Batch {
    let (name, resource) = (repository.parse().unwrap(), repository.to_owned());
    let precondition = Precondition::new(move |state: &State| match state.repository(&name) {
        Some(_) => Ok(()),
        None => Err(Unmet::Modified { resource: resource.clone() }),
    });
    Batch { precondition: Some(precondition), ..Batch::of(changes, at(1)) }
}

#[tokio::test]
async fn a_precondition_sees_the_batches_in_flight_and_not_those_that_were_refused() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let refused = vec![create_repository("b"), scale(0, 1)];
    let mut all = Box::pin(async {
        tokio::join!(
            store.apply(vec![create_repository("a")], at(1)),
            store.apply(refused, at(1)),
            store.commit(needs("a", vec![create_repository("c")])),
            store.commit(needs("b", vec![create_repository("d")])),
        )
    });
    assert!(poll!(&mut all).is_pending());
    kv.open();
    let (_, _, met, unmet) = all.await;
    assert_eq!(met.unwrap().revision(), StateRevision(2));
    let modified = Unmet::Modified { resource: "b".to_owned() };
    assert_eq!(unmet.unwrap_err(), CommitError::Unmet(modified));
    assert!(store.state().repository(&"d".parse().unwrap()).is_none());
}

#[tokio::test]
async fn a_refusal_is_answered_once_what_it_relies_on_is_published() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let install = |n| Change::Install(model::InstallationId::new(at(1), [n; 10]));
    let twice = |n| store.apply(vec![install(n)], at(1));
    let mut all = Box::pin(join_all((0..2).map(twice)));
    assert!(poll!(&mut all).is_pending());
    kv.arrived.notified().await;
    assert!(poll!(&mut all).is_pending(), "neither knows before it is on disk");
    kv.open();
    let outcomes = all.await;
    assert!(outcomes[0].is_ok() && matches!(outcomes[1], Err(CommitError::Refused(_))));
    assert_eq!(store.state().revision(), StateRevision(1));
}

#[tokio::test]
async fn the_answer_is_state_as_the_batch_left_it_whatever_came_behind_it() {
    let kv = GatedKv::shut();
    let store = on(&kv);
    let names = ["a", "b", "c"];
    let create = |name: &str| Batch::of(vec![create_repository(name)], at(1));
    let mut all = Box::pin(join_all(names.map(|name| store.commit(create(name)))));
    assert!(poll!(&mut all).is_pending());
    kv.open();
    for (state, count) in all.await.into_iter().zip(1..) {
        assert_eq!(state.unwrap().repositories().count(), count);
    }
}

#[tokio::test]
async fn what_is_remembered_of_a_batch_is_written_with_it_or_not_at_all() {
    let kv = Arc::new(MemoryKv::new());
    let store = on(&kv);
    let batch =
        |changes, request| Batch { history: vec![audit(request)], ..Batch::of(changes, at(1)) };
    store.commit(batch(vec![create_repository("hello")], "first")).await.unwrap();
    store.commit(batch(vec![scale(0, 1)], "refused")).await.unwrap_err();
    assert_eq!(requests(&store).await, ["first"]);
    // That nothing had to be changed is worth remembering too, and moves no revision.
    let state = store.commit(batch(vec![create_repository("hello")], "second")).await.unwrap();
    assert_eq!(state.revision(), StateRevision(1));
    assert_eq!(requests(&store).await, ["second", "first"]);
    store.close().await;
    assert_eq!(requests(&on(&kv)).await, ["second", "first"]);
}

#[tokio::test]
async fn a_reader_sees_what_is_committed() {
    let store = Store::in_memory();
    let reader = store.reader();
    let batch =
        Batch { rows: vec![put("k", "v")], ..Batch::of(vec![create_repository("a")], at(1)) };
    store.commit(batch).await.unwrap();
    assert_eq!(reader.state().revision(), StateRevision(1));
    assert_eq!(reader.get(b"k").await, Ok(Some(b"v".to_vec())));
    assert_eq!(reader.range(b"", None, 9).await.unwrap().len(), 1);
}

#[tokio::test]
async fn what_people_ask_for_pushes_nothing_out_of_what_happened_and_is_bounded_itself() {
    let kv = Arc::new(MemoryKv::new());
    let age = std::time::Duration::from_secs(1_000);
    let limits = HistoryLimits { rows: 20, audit_rows: 10, age };
    let store = with_limits(&kv, limits);
    store.apply(world(), at(1)).await.unwrap();
    let all = HistoryQuery { about: About::All, limit: usize::MAX, after: None };
    let happened = store.history(all).await.unwrap();
    assert!(!happened.is_empty() && happened.iter().all(|row| !row.is_audit()));
    for n in 0..50 {
        let batch = Batch { history: vec![audit(&n.to_string())], ..Batch::of(Vec::new(), at(1)) };
        store.commit(batch).await.unwrap();
    }
    let newest: Vec<String> = (40..50).rev().map(|n| n.to_string()).collect();
    assert_eq!(requests(&store).await, newest);
    assert_eq!(store.history(all).await.unwrap(), happened);
    store.close().await;
    let store = with_limits(&kv, limits);
    let batch = Batch { history: vec![audit("last")], ..Batch::of(Vec::new(), at(1)) };
    store.commit(batch).await.unwrap();
    assert_eq!(requests(&store).await.len(), 10, "they are counted when the store is opened");
    // Each goes with its age.
    for n in 0..64 {
        store.apply(vec![scale(0, n + 2)], at(10_000_000)).await.unwrap();
    }
    assert_eq!(requests(&store).await, [""; 0]);
}
