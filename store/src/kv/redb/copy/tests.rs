use super::*;
use crate::kv::redb::RedbKv;
use crate::kv::{Kv, Range, Write};

async fn put(kv: &RedbKv, value: &str) {
    let epoch = kv.campaign().await.unwrap();
    let write = Write::Put { key: b"key".to_vec(), value: value.into() };
    kv.commit(epoch, vec![vec![write]]).await.unwrap();
}

async fn held(path: &Path) -> (Vec<u8>, u64) {
    let kv = RedbKv::open(path).unwrap();
    let pairs = kv.range(Range { limit: 9, ..Range::default() }).await.unwrap();
    (pairs.into_iter().next().unwrap().1, kv.revision().await.unwrap())
}

#[tokio::test]
async fn a_copy_holds_all_and_is_not_made_twice_nor_written_over() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let kv = RedbKv::open(&path).unwrap();
    put(&kv, "1").await;
    std::fs::File::create(dir.path().join("store.redb.before-2.new")).unwrap();
    let copy = kv.keep_copy("before-2").await.unwrap().unwrap();
    assert_eq!(copy, dir.path().join("store.redb.before-2"));
    assert!(
        !dir.path().join("store.redb.before-2.new").exists(),
        "one that was cut off is made anew"
    );
    let made = copy.metadata().unwrap().modified().unwrap();
    assert_eq!(kv.keep_copy("before-2").await.unwrap(), Some(copy.clone()));
    assert_eq!(copy.metadata().unwrap().modified().unwrap(), made);
    // Somebody goes back to an old store, works on, and upgrades again.
    put(&kv, "2").await;
    let second = kv.keep_copy("before-2").await.unwrap().unwrap();
    assert_eq!(second, dir.path().join("store.redb.before-2.1"));
    assert_eq!(kv.keep_copy("before-2").await.unwrap(), Some(second.clone()));
    drop(kv);
    assert_eq!(held(&copy).await, (b"1".to_vec(), 1));
    assert_eq!(held(&second).await, (b"2".to_vec(), 2));
}

#[test]
fn a_copy_needs_room_for_itself_and_for_what_is_rewritten() {
    assert_eq!(needed(100 << 20), (150 << 20) + MARGIN_BYTES);
    assert_eq!(needed(u64::MAX), u64::MAX);
    let path = Path::new("/data/store.redb");
    assert_eq!(Room { needed: 5, free: 5 }.check(path), Ok(()));
    let refused = Room { needed: 5, free: 4 }.check(path).unwrap_err();
    let expected = KvError::NoRoom { dir: "/data".to_owned(), needed_bytes: 5, free_bytes: 4 };
    assert_eq!(refused, expected);
}

#[test]
fn the_room_that_a_disk_has_is_known() {
    let dir = tempfile::tempdir().unwrap();
    assert!(free(dir.path()).unwrap() > 0);
}

#[tokio::test]
async fn a_copy_that_was_cut_off_does_not_take_the_room_of_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("store.redb");
    let kv = RedbKv::open(&path).unwrap();
    put(&kv, "1").await;
    let unfinished = dir.path().join("store.redb.before-2.new");
    disk::write(&unfinished, b"half", 0o600).unwrap();
    let free = |_: &Path| Ok(if unfinished.exists() { 0 } else { u64::MAX });
    let copy = keep_within(&kv.database, &path, "before-2", free).unwrap();
    assert_eq!(held(&copy).await.0, b"1");
}
