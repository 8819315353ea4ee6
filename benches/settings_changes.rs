//! What changing a service costs those who use it: two hundred changes of its settings under load, right ones, wrong ones,
//! some with the server killed in between, some rolled back by hand. Counted are the requests that were lost, and how long
//! each kind takes until the service is as it should be: for wrong ones, until what was before is restored.
//!
//! `cargo bench --bench settings_changes`, for another number of changes with `-- --changes COUNT`. Needs Docker.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::time::Duration;

use it::harness::load::Load;
use it::harness::{Berth, docker, now, until_within};
use model::RolloutState;

#[path = "../tests/it"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
mod it {
    pub(crate) mod harness;
}

/// Changes of a whole run.
const CHANGES: u32 = 200;
/// How long one change may take before the run is given up.
const PATIENCE: Duration = Duration::from_mins(5);

/// What a change does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// Another environment variable, or another health check that passes.
    Right,
    /// A version that exits at once, with another host.
    BrokenImage,
    /// A health check that no answer passes, with another host.
    WrongCheck,
    /// A right one, and the server is killed while it rolls out.
    Killed,
    /// Back to the revision before.
    RolledBack,
}

impl Kind {
    /// Of each twenty changes one waits for a wrong check, which takes longest.
    fn of(change: u32) -> Self {
        match change % 20 {
            19 => Self::WrongCheck,
            3 | 9 | 15 => Self::BrokenImage,
            5 | 17 => Self::Killed,
            7 | 13 => Self::RolledBack,
            _ => Self::Right,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Right => "right setting to rolled out",
            Self::BrokenImage => "broken image to restored",
            Self::WrongCheck => "wrong health check to restored",
            Self::Killed => "right setting, server killed",
            Self::RolledBack => "roll-back by hand",
        }
    }
}

fn main() {
    // The test runner asks every target for its tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--changes").skip(1);
    let wanted = arguments.next().and_then(|count| count.parse().ok());
    let berth = Berth::up();
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    docker::push(&berth, "broken", "1", "exits");
    berth.run(&["deploy", "hello", "--replicas", "2"]).ok();
    // Each change is proven before the next one builds on it.
    berth.run(&["service", "update", "hello", "--bake-time", "0"]).ok();
    settled(&berth);
    let load = Load::start(&berth.router(), "hello.localhost", &["GET", "POST", "PUT"]);
    let mut times: BTreeMap<Kind, Vec<Duration>> = BTreeMap::new();
    for change in 0..wanted.unwrap_or(CHANGES) {
        let kind = Kind::of(change);
        let started = now();
        apply(&berth, kind, change);
        times.entry(kind).or_default().push(now() - started);
    }
    let (sent, failures) = load.stopped();
    berth.down();
    report(sent, &failures, times);
}

fn apply(berth: &Berth, kind: Kind, change: u32) {
    let value = format!("CHANGE={change}");
    match kind {
        Kind::Right if change.is_multiple_of(2) => {
            berth.run(&["deploy", "hello", "--env", &value]).ok();
        }
        Kind::Right => {
            let path = format!("/?change={change}");
            berth.run(&["deploy", "hello", "--health-path", &path]).ok();
        }
        Kind::BrokenImage => {
            let wrong = ["deploy", "hello", "--image", "broken", "--host", "new.localhost"];
            berth.run(&wrong).fails(8);
            // What is asked for next builds on what was restored.
        }
        Kind::WrongCheck => {
            let wrong = ["deploy", "hello", "--health-matcher", "204", "--host", "new.localhost"];
            berth.run(&wrong).fails(8);
        }
        Kind::Killed => {
            berth.run(&["deploy", "hello", "--env", &value, "--detach"]).ok();
            std::thread::sleep(Duration::from_millis(u64::from(change * 37 % 900)));
            berth.kill("server");
        }
        Kind::RolledBack => {
            berth.run(&["service", "rollback", "hello"]).ok();
        }
    }
    settled(berth);
}

/// The deployment that counts is complete, and both tasks run.
fn settled(berth: &Berth) {
    until_within(PATIENCE, "the service is as it should be", || {
        let said = berth.run(&["service", "show", "hello", "-o", "json"]);
        let Ok(service) = serde_json::from_str::<api::Service>(&said.stdout) else { return false };
        let is_complete = |one: &api::Deployment| one.rollout_state == RolloutState::Completed;
        service.running_count == 2 && service.primary().is_some_and(is_complete)
    });
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(sent: u64, failures: &[String], times: BTreeMap<Kind, Vec<Duration>>) {
    println!("requests: {sent} sent, {} lost", failures.len());
    failures.iter().take(10).for_each(|failure| println!("  {failure}"));
    let mut figures = vec![serde_json::json!({"sent": sent, "lost": failures.len()})];
    for (kind, mut times) in times {
        times.sort();
        let (median, longest) = (times[times.len() / 2], times[times.len() - 1]);
        println!(
            "{:<32} {:>4} changes, median {:>6.2} s, longest {:>6.2} s",
            kind.name(),
            times.len(),
            median.as_secs_f64(),
            longest.as_secs_f64()
        );
        figures.push(serde_json::json!({
            "case": kind.name(), "changes": times.len(),
            "median": median.as_secs_f64(), "longest": longest.as_secs_f64(), "unit": "s",
        }));
    }
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&directory).expect("a directory for the figures");
    let mut file = std::fs::File::create(directory.join("settings_changes.json")).expect("a file");
    let text = serde_json::Value::from(figures).to_string();
    file.write_all(text.as_bytes()).expect("the figures are written");
}
