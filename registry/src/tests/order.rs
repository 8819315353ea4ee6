//! The order in which things become durable, seen from below: a store engine that notes its commits among the steps of the
//! disk, and that fails where a test wants it to.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use futures_util::FutureExt as _;
use futures_util::future::{BoxFuture, ready};
use http::StatusCode;
use model::history::{About, HistoryQuery};
use model::{Epoch, History};
use store::kv::memory::MemoryKv;
use store::kv::{Kv, KvError, Pair, Range, Watch, Write};
use store::{HistoryLimits, Store};

use super::world::{OCI_IMAGE, World, image};
use crate::files::{self, faults::Faults};

/// Commits that work before one fails.
#[derive(Debug)]
struct NotingKv {
    kv: MemoryKv,
    left: AtomicU64,
    faults: std::sync::Mutex<Option<Arc<Faults>>>,
}

impl NotingKv {
    fn new() -> Arc<Self> {
        let left = AtomicU64::new(u64::MAX);
        Arc::new(Self { kv: MemoryKv::new(), left, faults: std::sync::Mutex::new(None) })
    }

    async fn world(self: &Arc<Self>) -> World {
        let kv = Arc::<Self>::clone(self);
        let world = World::on(Store::on(kv, "memory", HistoryLimits::default()).unwrap()).await;
        *self.faults.lock().unwrap() = Some(Arc::clone(&world.registry.shared.files.faults));
        world
    }

    fn note(&self, batches: &[Vec<Write>]) {
        let Some(faults) = &*self.faults.lock().unwrap() else { return };
        for write in batches.iter().flatten() {
            let key = String::from_utf8_lossy(write.key());
            if let Some(kind) = key.strip_prefix("b/").and_then(|key| key.split('/').next()) {
                faults.note(kind);
            }
            if key.starts_with("s/tag") {
                faults.note("tag");
            }
        }
    }
}

impl Kv for NotingKv {
    fn campaign(&self) -> BoxFuture<'_, Result<Epoch, KvError>> {
        self.kv.campaign()
    }

    fn get(&self, key: Vec<u8>) -> BoxFuture<'_, Result<Option<Vec<u8>>, KvError>> {
        self.kv.get(key)
    }

    fn range(&self, range: Range) -> BoxFuture<'_, Result<Vec<Pair>, KvError>> {
        self.kv.range(range)
    }

    fn commit(
        &self,
        epoch: Epoch,
        batches: Vec<Vec<Write>>,
    ) -> BoxFuture<'_, Result<u64, KvError>> {
        let spend = |left: u64| left.checked_sub(1);
        if self.left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, spend).is_err() {
            return ready(Err(KvError::Failed("no power".to_owned()))).boxed();
        }
        self.note(&batches);
        self.kv.commit(epoch, batches)
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        self.kv.revision()
    }

    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        self.kv.keep_copy(name)
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        self.kv.watch(from)
    }
}

#[tokio::test]
async fn a_row_comes_after_its_file_is_synced_renamed_and_its_directory_synced() {
    let kv = NotingKv::new();
    let world = kv.world().await;
    world.blob("a", b"{}").await;
    let durable = ["Create", "Write", "SyncFile", "Rename", "SyncDirectory"];
    assert_eq!(world.faults().journal(), [&durable[..], &["link", "holder", "blob"]].concat());
    world.blob("b", b"{}").await;
    let again = [&durable[..], &["link", "holder", "blob"]].concat();
    assert_eq!(world.faults().journal(), again, "what is there may have changed on disk");
    let put = world.manifest("a", "v1", OCI_IMAGE, &image(b"{}", &[])).await;
    put.expect(StatusCode::CREATED);
    let expect = [&["edge"], &durable[..], &["manifest", "blob", "tag"]].concat();
    assert_eq!(world.faults().journal(), expect);
}

/// Pushes an image and deletes it, request by request, and answers how many were acknowledged.
async fn push_and_delete(world: &World) -> usize {
    let manifest = image(b"{}", &[b"layer"]);
    let digest = files::sha256(&manifest);
    let blob = |bytes: &[u8]| format!("/v2/a/blobs/uploads/?digest={}", files::sha256(bytes));
    let replies = [
        world.request("POST", &blob(b"{}")).body(b"{}").send().await,
        world.request("POST", &blob(b"layer")).body(b"layer").send().await,
        world.manifest("a", "v1", OCI_IMAGE, &manifest).await,
        world.request("DELETE", &format!("/v2/a/manifests/{digest}")).send().await,
        world.request("DELETE", &format!("/v2/a/blobs/{}", files::sha256(b"layer"))).send().await,
    ];
    let acknowledged = replies.iter().take_while(|reply| reply.status.is_success()).count();
    for reply in &replies[acknowledged..] {
        assert!(!reply.status.is_success(), "nothing succeeds once the store cannot write");
    }
    acknowledged
}

/// How often it is remembered that somebody deleted a manifest.
async fn deletes(world: &World) -> usize {
    let query = HistoryQuery { about: About::Audit, limit: 100, after: None };
    let rows = world.store.history(query).await.unwrap().into_iter();
    let is_delete =
        |row: &History| matches!(row, History::Audit(event) if event.operation == "DeleteManifest");
    rows.filter(is_delete).count()
}

#[tokio::test]
async fn a_store_that_stops_at_any_commit_keeps_what_was_acknowledged_and_nothing_half() {
    let mut stopped_at = std::collections::BTreeSet::new();
    for commits in 0.. {
        let kv = NotingKv::new();
        let world = kv.world().await;
        kv.left.store(commits, Ordering::SeqCst);
        let acknowledged = push_and_delete(&world).await;
        stopped_at.insert(acknowledged);
        // The server ends and starts again on what is left.
        kv.left.store(u64::MAX, Ordering::SeqCst);
        let store = Store::on(Arc::<NotingKv>::clone(&kv), "memory", HistoryLimits::default());
        let mut world = World { store: store.unwrap(), ..world };
        world.restart();
        world.check_rows().await;
        let manifest = world.get("/v2/a/manifests/v1").send().await.status;
        let layer = format!("/v2/a/blobs/{}", files::sha256(b"layer"));
        let layer = world.get(&layer).send().await.status;
        match acknowledged {
            0 | 1 => assert_eq!(manifest, StatusCode::NOT_FOUND),
            // A delete that was cut off may have removed the tag already, and is remembered then.
            3 => {
                assert_eq!(layer, StatusCode::OK);
                assert_eq!(deletes(&world).await, usize::from(manifest == StatusCode::NOT_FOUND));
            }
            2 | 4 => assert_eq!((manifest, layer), (StatusCode::NOT_FOUND, StatusCode::OK)),
            _ => assert_eq!((manifest, layer), (StatusCode::NOT_FOUND, StatusCode::NOT_FOUND)),
        }
        assert_eq!(push_and_delete(&world).await, 5, "afterwards all of it works");
        if acknowledged == 5 {
            break;
        }
    }
    assert_eq!(stopped_at, (0..=5).collect(), "it stopped within every request");
}
