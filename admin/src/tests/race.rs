//! What happens between a decision and its commit, with the store's own writer: a commit that waits for the test.

use std::path::PathBuf;

use futures_util::{FutureExt as _, poll};
use model::history::About;
use store::HistoryLimits;
use store::kv::memory::MemoryKv;
use store::kv::{Kv, KvError, Pair, Range, Watch, Write};
use tokio::sync::Notify;

use super::*;

/// A memory engine whose commits wait while it is shut.
#[derive(Debug)]
struct GatedKv {
    inner: MemoryKv,
    open: watch::Sender<bool>,
    arrived: Notify,
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
        Box::pin(async move {
            self.arrived.notify_one();
            let mut open = self.open.subscribe();
            open.wait_for(|open| *open).await.expect("the engine has the sender");
            self.inner.commit(epoch, batches).await
        })
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        self.inner.revision()
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        self.inner.watch(from)
    }

    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        self.inner.keep_copy(name)
    }
}

async fn world() -> (Arc<GatedKv>, World) {
    let (inner, open) = (MemoryKv::new(), watch::Sender::new(true));
    let kv = Arc::new(GatedKv { inner, open, arrived: Notify::new() });
    let engine: Arc<dyn Kv> = Arc::<GatedKv>::clone(&kv);
    let store = Store::on(engine, "test", HistoryLimits::default()).unwrap();
    let world = World::on(store).await;
    world.push("hello", "latest", 1, &[8080]).await;
    world.post("/deploy", json!({"name": "hello", "desiredCount": 2})).await.ok();
    // What arrived until here is of no interest.
    let _before = kv.arrived.notified().now_or_never();
    (kv, world)
}

async fn updates(world: &World) -> usize {
    let query = HistoryQuery { about: About::Audit, limit: 1_000, after: None };
    let rows = world.store.history(query).await.unwrap().into_iter();
    rows.filter(|row| matches!(row, History::Audit(event) if event.operation == "UpdateService"))
        .count()
}

/// A scale-up that is decided while what a rival changes waits for the disk, and is committed behind it.
async fn scale_behind(rival: impl Fn(&World) -> Vec<Change>) -> (World, Answer) {
    let (kv, world) = world().await;
    kv.open.send_replace(false);
    let mut first = Box::pin(world.store.apply(rival(&world), now()));
    assert!(poll!(&mut first).is_pending());
    kv.arrived.notified().await;
    let mut scale = Box::pin(world.patch("/services/hello", json!({"desiredCount": 9})));
    assert!(poll!(&mut scale).is_pending(), "it is decided on what is published, and waits");
    kv.open.send_replace(true);
    let (committed, answer) = tokio::join!(first, scale);
    committed.unwrap();
    (world, answer)
}

#[tokio::test]
async fn a_token_that_is_revoked_while_its_request_is_under_way_changes_nothing() {
    let revoke = |world: &World| {
        let hash = ::access::hash_secret(&world.admin);
        let id = world.state().credential_by_hash(&hash).unwrap().id;
        vec![AccessChange::RevokeCredential(id).into()]
    };
    let (world, answer) = scale_behind(revoke).await;
    answer.problem(401, "Unauthenticated");
    assert_eq!(world.service("hello").desired_count, 2);
    assert_eq!(updates(&world).await, 0);
}

#[tokio::test]
async fn a_request_behind_one_that_does_not_concern_it_goes_through_and_is_remembered() {
    let create = |_: &World| {
        let name: RepositoryName = "other".parse().unwrap();
        vec![RepositoryChange::Create(Repository { name, created_at: now() }).into()]
    };
    let (world, answer) = scale_behind(create).await;
    assert_eq!(answer.ok()["desiredCount"], 9);
    assert_eq!(updates(&world).await, 1);
}

#[tokio::test]
async fn a_client_that_hangs_up_during_the_commit_gets_its_answer_under_the_same_key() {
    let (kv, world) = world().await;
    let run = || {
        let body = Body::from(json!({"taskDefinition": "hello:1"}).to_string());
        let request = Request::builder().method("POST").uri("/api/v1/tasks");
        let request = request.header("authorization", format!("Bearer {}", world.admin));
        world.send(request.header("idempotency-key", "one").body(body).unwrap())
    };
    kv.open.send_replace(false);
    tokio::select! {
        answer = run() => panic!("it waits for the disk: {answer:?}"),
        () = kv.arrived.notified() => {}
    }
    kv.open.send_replace(true);
    let answer = run().await;
    assert_eq!(
        (answer.status, &answer.headers["idempotent-replayed"]),
        (StatusCode::CREATED, &"true".parse().unwrap())
    );
    assert_eq!(world.state().tasks().count(), 1);
}
