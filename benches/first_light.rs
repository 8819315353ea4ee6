//! How long the first five minutes take, and what Berth costs when nothing happens: the time until `berth up` is ready, from
//! `berth deploy` to the first answer, until a killed router serves again, and resident memory at rest.
//!
//! The peer of `berth deploy` is `docker run` with the same image: what the engine alone needs from a container that does
//! not exist to an answer. Runs alternate, figures are medians; both wait by asking every 2 ms. Needs Docker:
//! `cargo bench --bench first_light`.

use std::io::Write as _;
use std::process::Command;
use std::time::Duration;

use it::harness::{self, Berth, docker, http, now};

#[path = "../tests/it"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
mod it {
    pub(crate) mod harness;
}

/// Runs of each case.
const ROUNDS: usize = 7;
/// Kills of the router, and how long it must have run for its supervisor to start it again without a pause.
const KILLS: usize = 3;
const FINE: Duration = Duration::from_secs(21);
const PERIOD: Duration = Duration::from_millis(2);

fn main() {
    // The test runner asks every target for its tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let mut figures = Figures::default();
    figures.times("ready on an empty directory", "berth", (0..ROUNDS).map(|_| up()).collect());
    let berth = Berth::up();
    idle_memory(&berth, &mut figures);
    deploys(&berth, &mut figures);
    router_kills(&berth, &mut figures);
    berth.down();
    let binary = std::fs::metadata(env!("CARGO_BIN_EXE_berth")).expect("the binary is built");
    figures.add("size of the binary", "berth", thousandths(binary.len(), 1_000_000), "MB");
    figures.print();
}

/// From nothing to ready.
fn up() -> Duration {
    let started = now();
    let berth = Berth::up();
    let took = now() - started;
    berth.down();
    took
}

fn answers(url: &str, host: &str) {
    let deadline = now() + harness::wait::PATIENCE;
    while !http::get_from(url, host, "/").is_ok_and(|answer| answer.status == 200) {
        assert!(now() < deadline, "{url} does not answer");
        std::thread::sleep(PERIOD);
    }
}

fn deploys(berth: &Berth, figures: &mut Figures) {
    docker::login(berth);
    docker::push(berth, "hello", "1", "none");
    // The first deployment pulls the image; those that are measured find it on the host.
    berth.run(&["deploy", "hello"]).ok();
    let tasks = berth.tasks("hello");
    let container = tasks[0].containers[0].runtime_id.as_ref().expect("the task has a container");
    let image = docker::inspect(container.as_str(), "{{.Image}}");
    berth.run(&["service", "rm", "hello", "--yes"]).ok();
    let (mut deployed, mut ran) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let started = now();
        berth.run(&["deploy", "hello", "--detach"]).ok();
        answers(&berth.router(), "hello.localhost");
        deployed.push(now() - started);
        berth.run(&["service", "rm", "hello", "--yes"]).ok();
        ran.push(docker_run(&image));
    }
    let case = "deploy to first 200, image on the host";
    figures.times(case, "berth", deployed);
    figures.times(case, "docker run", ran);
}

/// The engine alone: a container with a published port, until it answers.
fn docker_run(image: &str) -> Duration {
    let run = |arguments: &[&str]| {
        let output = Command::new("docker").args(arguments).output().expect("docker runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    let started = now();
    let id = run(&["run", "--detach", "--publish", "127.0.0.1::8080", image]);
    let address = run(&["port", &id, "8080/tcp"]);
    answers(&format!("http://{address}"), "hello.localhost");
    let took = now() - started;
    run(&["rm", "--force", &id]);
    took
}

fn router_kills(berth: &Berth, figures: &mut Figures) {
    berth.run(&["deploy", "hello"]).ok();
    let times = (0..KILLS).map(|_| {
        // One that was killed a moment ago is not started again at once, so that a broken one does not busy the host.
        std::thread::sleep(FINE);
        let pid = berth.pid("router").expect("the router runs");
        let started = now();
        harness::kill(pid);
        answers(&berth.router(), "hello.localhost");
        let took = now() - started;
        harness::until("berth is ready again", || berth.is_ready());
        took
    });
    figures.times("router killed to first 200", "berth", times.collect());
}

/// Resident and proportional memory of all processes together.
fn idle_memory(berth: &Berth, figures: &mut Figures) {
    let pids = ["up", "server", "agent", "router"].map(|role| berth.pid(role).expect("it runs"));
    for (key, case) in [("Rss", "resident memory at rest"), ("Pss", "proportional memory at rest")]
    {
        let sum: u64 = pids.iter().map(|pid| kibibytes(*pid, key)).sum();
        figures.add(case, "berth", thousandths(sum, 1024), "MiB");
    }
}

fn kibibytes(pid: i32, key: &str) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
    let line = text.lines().find(|line| line.starts_with(&format!("{key}:")));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A quotient to three decimals.
fn thousandths(amount: u64, unit: u64) -> f64 {
    f64::from(u32::try_from(amount * 1000 / unit).unwrap_or(u32::MAX)) / 1000.0
}

/// What was measured.
#[derive(Default)]
struct Figures(Vec<serde_json::Value>);

impl Figures {
    fn add(&mut self, case: &str, system: &str, value: f64, unit: &str) {
        let value = (value * 1000.0).round() / 1000.0;
        self.0.push(serde_json::json!({
            "case": case, "system": system, "metric": "median", "value": value, "unit": unit,
        }));
    }

    fn times(&mut self, case: &str, system: &str, mut times: Vec<Duration>) {
        times.sort();
        self.add(case, system, times[times.len() / 2].as_secs_f64(), "s");
    }

    #[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
    fn print(&self) {
        for figure in &self.0 {
            let text = |key: &str| figure[key].as_str().unwrap_or_default().to_owned();
            println!(
                "{:<42} {:<12} {:>8} {}",
                text("case"),
                text("system"),
                figure["value"],
                text("unit")
            );
        }
        let file = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
        std::fs::create_dir_all(&file).expect("a directory for the figures");
        let file = std::fs::File::create(file.join("first_light.json")).expect("a file");
        let text = serde_json::Value::from(self.0.clone()).to_string();
        (&file).write_all(text.as_bytes()).expect("the figures are written");
    }
}
