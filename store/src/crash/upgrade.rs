//! An upgrade that is cut off at any moment, by a kill or by the power, goes on at the next opening and ends the same.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::{Epoch, State, StateRevision};
use rand::SeedableRng as _;
use rand::rngs::StdRng;

use super::platter::Platter;
use super::variable;
use crate::format::FILE;
use crate::kv::redb::RedbKv;
use crate::kv::{Kv, KvError, Pair, Range, Watch, Write};
use crate::tests::upgrade::{SMALL, fixture, pairs};
use crate::{key, lead};

const DIRECTORY: &str = "BERTH_TEST_UPGRADE_DIRECTORY";
/// The test below: run again as a process of its own, with a directory, it is the one that upgrades.
const UPGRADER: &str =
    "crash::upgrade::an_upgrade_that_is_killed_anywhere_goes_on_and_ends_the_same";
const COPY: &str = "store.redb.before-2";

/// What an upgrade leaves, however often it was cut off.
struct Expected {
    before: Vec<Pair>,
    after: Vec<Pair>,
}

impl Expected {
    async fn of(dir: &Path) -> Self {
        let kv = RedbKv::open(&dir.join(FILE)).expect("the fixture opens");
        let before = pairs(&kv).await;
        lead::take(&kv, "test", SMALL).await.expect("it is upgraded");
        Self { before, after: pairs(&kv).await }
    }

    /// Whether every row is there, in its old form or its new one.
    fn judge_middle(&self, found: &[Pair]) -> Result<(), String> {
        let rows = |pairs: &[Pair]| -> Vec<Pair> {
            pairs.iter().filter(|(key, _)| key != key::FORMAT).cloned().collect()
        };
        let (old, new, found) = (rows(&self.before), rows(&self.after), rows(found));
        let name = |pair: &Pair| String::from_utf8_lossy(&pair.0).into_owned();
        if let Some(strange) = found.iter().find(|one| !old.contains(one) && !new.contains(one)) {
            return Err(format!("a row of neither form: {}", name(strange)));
        }
        let has = |pairs: &[Pair], key: &[u8]| pairs.iter().any(|(known, _)| known == key);
        let stays = |one: &&Pair| has(&new, &one.0);
        match old.iter().filter(stays).find(|one| !has(&found, &one.0)) {
            Some(lost) => Err(format!("a row is lost: {}", name(lost))),
            None => Ok(()),
        }
    }

    /// Whether it ends the same.
    async fn judge_end(&self, kv: &dyn Kv) -> Result<(), String> {
        self.judge_middle(&pairs(kv).await)?;
        lead::take(kv, "test", SMALL).await.map_err(|error| error.to_string())?;
        let end = pairs(kv).await;
        let state = end.iter().filter_map(|(key, value)| {
            let key = key.strip_prefix(key::STATE)?;
            Some((std::str::from_utf8(key).expect("State's keys are text"), value.as_slice()))
        });
        State::from_rows(StateRevision(0), state).map_err(|error| error.to_string())?;
        if end == self.after { Ok(()) } else { Err("another end".to_owned()) }
    }
}

#[tokio::test]
async fn an_upgrade_that_loses_the_power_anywhere_goes_on_and_ends_the_same() {
    let dir = fixture(1);
    let bytes = std::fs::read(dir.path().join(FILE)).unwrap();
    let expected = Expected::of(dir.path()).await;
    let platter = Platter::holding(bytes);
    let kv = RedbKv::on_backend(platter.clone()).unwrap();
    lead::take(&kv, "test", SMALL).await.unwrap();
    assert_eq!(pairs(&kv).await, expected.after);
    drop(kv);
    let every = if variable("BERTH_TEST_FULL").is_some() { 1 } else { 11 };
    let first = variable("BERTH_TEST_SEED").unwrap_or(0);
    for at in (0..=platter.steps()).skip(usize::try_from(first).unwrap()).step_by(every) {
        let mut random = StdRng::seed_from_u64(at as u64);
        let left = Platter::holding(platter.cut(at, &mut random));
        let kv = RedbKv::on_backend(left).unwrap_or_else(|error| panic!("step {at}: {error}"));
        expected.judge_end(&kv).await.unwrap_or_else(|why| panic!("power cut at step {at}: {why}"));
    }
}

/// An engine that says what it is about to do, and what it has done.
#[derive(Debug)]
struct SayingKv(RedbKv);

fn say(line: &str) {
    // The parent may have gone; it has seen enough then.
    writeln!(std::io::stdout().lock(), "\n{line}").ok();
}

impl Kv for SayingKv {
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
        async move {
            say("commits");
            let committed = self.0.commit(epoch, batches).await;
            say("committed");
            committed
        }
        .boxed()
    }

    fn revision(&self) -> BoxFuture<'_, Result<u64, KvError>> {
        self.0.revision()
    }

    fn keep_copy(&self, name: &str) -> BoxFuture<'_, Result<Option<PathBuf>, KvError>> {
        let name = name.to_owned();
        async move {
            say("copies");
            let kept = self.0.keep_copy(&name).await;
            say("copied");
            kept
        }
        .boxed()
    }

    fn watch(&self, from: u64) -> BoxFuture<'_, Result<Watch, KvError>> {
        self.0.watch(from)
    }
}

async fn upgrade_until_killed(dir: &Path) {
    let kv = SayingKv(RedbKv::open(&dir.join(FILE)).expect("the store opens"));
    lead::take(&kv, "test", SMALL).await.expect("it is upgraded");
    say("over");
}

/// Upgrades in a process of its own and kills it once it has said so many lines; false when it was over before.
fn upgrade_and_kill(dir: &Path, lines: usize) -> Result<bool, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(["--exact", UPGRADER, "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("the process has no output")?;
    let (mut said, mut over) = (0, false);
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| error.to_string())?;
        over |= line == "over";
        if !["copies", "copied", "commits", "committed"].contains(&line.as_str()) {
            continue;
        }
        said += 1;
        if said == lines {
            child.kill().map_err(|error| error.to_string())?;
        }
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.signal() {
        Some(9) => Ok(true),
        None if over => Ok(false),
        Some(_) | None => Err(format!("the process ended by itself: {status}")),
    }
}

#[test]
fn an_upgrade_that_is_killed_anywhere_goes_on_and_ends_the_same() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        return runtime.block_on(upgrade_until_killed(Path::new(&dir)));
    }
    let expected = runtime.block_on(async { Expected::of(fixture(1).path()).await });
    let every = if variable("BERTH_TEST_FULL").is_some() { 1 } else { 7 };
    let mut kills = 0;
    for lines in (1..).step_by(every) {
        let dir = fixture(1);
        if !upgrade_and_kill(dir.path(), lines).unwrap_or_else(|why| panic!("{lines}: {why}")) {
            break;
        }
        kills += 1;
        runtime.block_on(async {
            let kv = RedbKv::open(&dir.path().join(FILE)).unwrap();
            let end = expected.judge_end(&kv).await;
            end.unwrap_or_else(|why| panic!("killed after {lines} lines: {why}"));
            let copy = RedbKv::open(&dir.path().join(COPY)).unwrap();
            assert!(pairs(&copy).await == expected.before, "the copy after {lines} lines");
        });
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 2, "the store and one copy");
    }
    assert!(kills > 5, "{kills} kills met the upgrade");
}
