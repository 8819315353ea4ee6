//! What it costs those who use a service when the router's process goes: killed a hundred times, and replaced a hundred times
//! because the configuration has changed, under load. Counted are the requests that were refused and those that were cut, and
//! how long one that arrives right after it waits.
//!
//! `cargo bench --bench router_restarts`, for another number of each with `-- --times COUNT`. Needs Docker.

use std::io::ErrorKind;
use std::time::Duration;

use it::harness::load::{KeepAlive, Load};
use it::harness::{Berth, docker, http, kill, now, until};
use rustix::process::Signal;

#[path = "../tests/it"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
mod it {
    pub(crate) mod harness;
}

/// How often the router is killed, and how often it is replaced.
const TIMES: u32 = 100;
/// Clients that keep their connection while the router is replaced.
const KEPT: usize = 4;
const HOST: &str = "hello.localhost";

fn main() {
    // The test runner asks every target for its tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--times").skip(1);
    let times = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(TIMES);
    let config = tempfile::Builder::new().suffix(".toml").tempfile().expect("a file");
    configure(config.path(), 0);
    let path = config.path().to_str().expect("a path of ASCII").to_owned();
    let berth = Berth::up_with(&[("BERTH_CONFIG", &path)]);
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello", "--replicas", "2"]).ok();

    let load = Load::start(&berth.router(), HOST, &["GET", "POST", "PUT"]);
    let waits = (0..times).map(|_| changed(&berth, &load, kill)).collect();
    let (sent, failures) = load.stopped();
    report("killed", sent, &failures, waits);

    let load = Load::start(&berth.router(), HOST, &["GET", "POST", "PUT"]);
    let kept: Vec<_> = (0..KEPT).map(|_| KeepAlive::start(&berth.router(), HOST)).collect();
    let replace = |time| {
        configure(config.path(), time + 1);
        berth.signal_up(Signal::HUP);
    };
    let waits = (0..times).map(|time| changed(&berth, &load, |_| replace(time))).collect();
    let (sent, failures) = load.stopped();
    let kept: u64 = kept.into_iter().map(KeepAlive::all_answered).sum();
    report("replaced", sent + kept, &failures, waits);
    berth.down();
}

/// Another level is another configuration.
fn configure(path: &std::path::Path, time: u32) {
    let level = if time.is_multiple_of(2) { "info" } else { "debug" };
    let text = format!("[log]\nlevel = \"{level}\"\n");
    disk::write(path, text.as_bytes(), 0o600).expect("it is written");
}

/// Changes the router's process, and returns how long a request waits that is sent at once.
fn changed(berth: &Berth, load: &Load, change: impl FnOnce(i32)) -> Duration {
    let router = berth.pid("router").expect("the router runs");
    change(router);
    let began = now();
    let waited = loop {
        match http::get_from(&berth.router(), HOST, "/") {
            Ok(answer) if answer.status == 200 => break now() - began,
            Ok(answer) => panic!("{answer:?}"),
            // The process that ends may have accepted it still.
            Err(error) => assert_ne!(error.kind(), ErrorKind::ConnectionRefused),
        }
    };
    until("another router runs", || berth.pid("router").is_some_and(|pid| pid != router));
    until("berth is ready again", || berth.is_ready());
    load.goes_on(30);
    waited
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn report(what: &str, sent: u64, failures: &[String], mut waits: Vec<Duration>) {
    waits.sort();
    let refused = failures.iter().filter(|why| why.contains("refused")).count();
    let cut = failures.len() - refused;
    let (median, longest) = (waits[waits.len() / 2], waits[waits.len() - 1]);
    println!("{what} {} times: {sent} requests, {refused} refused, {cut} cut", waits.len());
    println!(
        "  a request sent at once waited {} ms (median), {} ms (longest)",
        median.as_millis(),
        longest.as_millis()
    );
    failures.iter().take(10).for_each(|failure| println!("  {failure}"));
}
