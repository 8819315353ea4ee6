//! A real process is killed with SIGKILL while it writes to a real file.

use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};

use super::{LAST, Ledger, for_each_seed};
use crate::Store;

const DIRECTORY: &str = "BERTH_TEST_STORE_DIRECTORY";
/// The test below: run again as a process of its own, with a directory, it is the one that writes.
const WRITER: &str = "crash::kill::a_killed_process_loses_no_answered_batch_and_tears_none";
const LEDGER: Ledger = Ledger { seed: 3 };

/// Says a line to the parent; an error when the parent has gone.
fn say(line: &str) -> std::io::Result<()> {
    writeln!(std::io::stdout().lock(), "\n{line}")
}

async fn write_until_killed(dir: &Path) -> std::io::Result<()> {
    say("opening")?;
    let store = Store::open(dir).map_err(std::io::Error::other)?;
    let last = store.get(LAST).await.map_err(std::io::Error::other)?;
    let mut number = last.and_then(|value| value.try_into().ok()).map_or(0, u64::from_be_bytes);
    let mut random = StdRng::seed_from_u64(number);
    loop {
        let until = number + random.random_range(1..=8);
        say(&format!("handed in {until}"))?;
        let commits = (number + 1..=until).map(async |number| {
            store.commit(LEDGER.batch(number)).await.map_err(std::io::Error::other)?;
            say(&format!("answered {number}"))
        });
        join_all(commits).await.into_iter().collect::<std::io::Result<()>>()?;
        number = until;
    }
}

/// What the process has said: the last batch that was answered, and the last one that was handed in.
#[derive(Debug, Default)]
struct Said {
    answered: u64,
    handed_in: u64,
}

/// Runs the process until it has said so much, kills it, and hears the rest.
fn run_and_kill(dir: &Path, lines: usize) -> Result<Said, String> {
    let program = std::env::current_exe().map_err(|error| error.to_string())?;
    let mut child = Command::new(program)
        .args(["--exact", WRITER, "--nocapture"])
        .env(DIRECTORY, dir)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| error.to_string())?;
    let output = child.stdout.take().ok_or("the process has no output")?;
    let (mut said, mut count) = (Said::default(), 0);
    for line in BufReader::new(output).lines() {
        let line = line.map_err(|error| error.to_string())?;
        let number = |prefix| line.strip_prefix(prefix).and_then(|number| number.parse().ok());
        if let Some(number) = number("answered ") {
            said.answered = number;
        } else if let Some(number) = number("handed in ") {
            said.handed_in = number;
        } else if line != "opening" {
            continue;
        }
        if count == lines {
            child.kill().map_err(|error| error.to_string())?;
        }
        count += 1;
    }
    let status = child.wait().map_err(|error| error.to_string())?;
    match status.signal() {
        Some(9) => Ok(said),
        _ => Err(format!("the process ended by itself: {status}")),
    }
}

/// Kills several times in the same directory, each time after another while.
fn kill_again_and_again(seed: u64) -> Result<(), String> {
    let mut random = StdRng::seed_from_u64(seed);
    let runtime =
        tokio::runtime::Builder::new_current_thread().build().map_err(|error| error.to_string())?;
    let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
    let mut number = 0;
    for round in 0..6 {
        // Now and then while it opens.
        let lines = if random.random_bool(0.2) { 0 } else { random.random_range(1..80) };
        let said = run_and_kill(dir.path(), lines)?;
        let bounds = (said.answered.max(number), said.handed_in.max(number));
        number = runtime.block_on(async {
            let store = Store::open(dir.path()).map_err(|error| error.to_string())?;
            let judged = LEDGER.judge_store(&store, bounds.0, bounds.1).await;
            store.close().await;
            judged.map_err(|why| format!("round {round}, killed after {lines} lines: {why}"))
        })?;
    }
    if number == 0 { Err("nothing was ever written".to_owned()) } else { Ok(()) }
}

#[test]
fn a_killed_process_loses_no_answered_batch_and_tears_none() {
    if let Some(dir) = std::env::var_os(DIRECTORY) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let ended = runtime.block_on(write_until_killed(Path::new(&dir)));
        panic!("nobody has killed it: {ended:?}");
    }
    for_each_seed(2, 50, kill_again_and_again);
}
