//! What a request costs in the router, beside nginx in the same run: processor time of the proxy's own process for each
//! request, with a container of the same image behind each, on the router's short path and on pingora's proxy.
//!
//! `cargo bench --bench router`, for another number of rounds with `-- --rounds COUNT`. Needs Docker, and Debian's `nginx` and
//! `wrk`. Every round asks each proxy in turn, so that what disturbs the machine disturbs all; medians are printed and kept in
//! `target/bench/router.json`.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use it::harness::{Berth, docker, http, until};
use serde::Serialize;

#[path = "../tests/it"]
#[expect(dead_code, unused_imports, reason = "the tests use the rest of it")]
mod it {
    pub(crate) mod harness;
}

/// How often each proxy is measured in each case.
const ROUNDS: usize = 5;
/// How long one measurement takes, in seconds.
const SECONDS: u32 = 4;
const CONNECTIONS: u32 = 32;
const HOST: &str = "hello.localhost";
/// Ticks of `/proc/PID/stat` in a second (`USER_HZ`, which Linux fixes for programs).
const TICKS: f64 = 100.0;

/// A proxy: where it listens, and the process whose time counts.
struct Proxy {
    name: &'static str,
    url: String,
    pid: u32,
}

/// A kind of request.
struct Case {
    name: &'static str,
    path: &'static str,
    headers: &'static [&'static str],
}

const CASES: [Case; 2] = [
    Case { name: "h1-small", path: "/", headers: &[] },
    Case { name: "h1-close", path: "/", headers: &["Connection: close"] },
];

/// Medians of one proxy in one case.
#[derive(Debug, Serialize)]
struct Figures {
    cpu_us_per_request: f64,
    requests_per_second: f64,
}

/// Ends the peer, however the benchmark ends.
struct Peer(Child);

impl Drop for Peer {
    fn drop(&mut self) {
        self.0.kill().ok();
        self.0.wait().ok();
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark prints its figures")]
fn main() {
    // The test runner asks every target for its tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--rounds").skip(1);
    let rounds = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(ROUNDS);
    let short = deployed(&[]);
    let proxied = deployed(&[("BERTH_ROUTER_LEAN", "false")]);
    let dir = tempfile::tempdir().expect("a directory");
    let task = short.tasks("hello").swap_remove(0);
    let target = task.address.expect("an address");
    let port = task.containers[0].network_bindings[0].container_port;
    let (peer, peer_url) = nginx(dir.path(), &format!("{target}:{port}"));
    let router = |name, berth: &Berth| {
        let pid = berth.pid("router").expect("the router runs");
        Proxy { name, url: berth.router(), pid: u32::try_from(pid).expect("a pid") }
    };
    let proxies = [
        router("berth", &short),
        router("berth, router.lean = false", &proxied),
        Proxy { name: "nginx", url: peer_url, pid: peer.0.id() },
    ];
    let mut all = BTreeMap::new();
    for case in &CASES {
        let mut measured: Vec<Vec<Figures>> = proxies.iter().map(|_| Vec::new()).collect();
        for _ in 0..rounds {
            for (proxy, measured) in proxies.iter().zip(&mut measured) {
                measured.push(measure(proxy, case));
            }
        }
        let medians: Vec<Figures> = measured.iter().map(|all| median(all)).collect();
        let peer = medians.last().map_or(1.0, |figures| figures.cpu_us_per_request);
        println!("{}", case.name);
        for (proxy, figures) in proxies.iter().zip(&medians) {
            let (cpu, rate) = (figures.cpu_us_per_request, figures.requests_per_second);
            let ratio = cpu / peer;
            println!(
                "  {:<28} {cpu:6.1} us/request  {ratio:.2} x nginx  {rate:8.0} requests/s",
                proxy.name
            );
        }
        let named = proxies.iter().map(|proxy| proxy.name).zip(medians);
        all.insert(case.name, named.collect::<BTreeMap<_, _>>());
    }
    let out = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench");
    std::fs::create_dir_all(&out).expect("a directory");
    let text = serde_json::to_vec_pretty(&all).expect("plain data");
    disk::write(&out.join("router.json"), &text, 0o644).expect("it is written");
    drop(peer);
    short.down();
    proxied.down();
}

fn deployed(settings: &[(&str, &str)]) -> Berth {
    let berth = Berth::up_with(settings);
    docker::login(&berth);
    docker::push(&berth, "hello", "1", "none");
    berth.run(&["deploy", "hello"]).ok();
    berth
}

/// Debian's nginx before such a container, with as many headers, one worker and a pool.
fn nginx(dir: &Path, target: &str) -> (Peer, String) {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    drop(listener);
    let shown = dir.display();
    let text = format!(
        "daemon off; master_process off; worker_processes 1; pid {shown}/pid; error_log stderr;\n\
         events {{ worker_connections 4096; }}\n\
         http {{ access_log off; keepalive_requests 10000000; client_body_temp_path {shown}; proxy_temp_path {shown};\n\
         upstream a {{ server {target}; keepalive 256; keepalive_requests 10000000; }}\n\
         server {{ listen {address}; location / {{ proxy_pass http://a; proxy_http_version 1.1;\n\
         proxy_set_header Connection \"\"; proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;\n\
         proxy_set_header X-Real-IP $remote_addr; proxy_set_header X-Forwarded-Proto http;\n\
         proxy_set_header X-Forwarded-Host $host; proxy_set_header X-Forwarded-Port $server_port;\n\
         proxy_set_header X-Request-Id $request_id; add_header X-Request-Id $request_id; }} }} }}\n"
    );
    let config = dir.join("nginx.conf");
    disk::write(&config, text.as_bytes(), 0o600).expect("it is written");
    let child = Command::new("nginx")
        .arg("-c")
        .arg(&config)
        .stdin(Stdio::null())
        .spawn()
        .expect("nginx is installed: apt install nginx-light wrk");
    let peer = Peer(child);
    let url = format!("http://{address}");
    until("nginx answers", || http::get_from(&url, HOST, "/").is_ok());
    (peer, url)
}

fn measure(proxy: &Proxy, case: &Case) -> Figures {
    let before = ticks(proxy.pid);
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", "1", "-c", &CONNECTIONS.to_string(), "-d", &format!("{SECONDS}s")]);
    for header in case.headers.iter().copied().chain([&*format!("Host: {HOST}")]) {
        wrk.args(["-H", header]);
    }
    let output = wrk.arg(format!("{}{}", proxy.url, case.path)).output();
    let output = output.expect("wrk is installed: apt install nginx-light wrk");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("Non-2xx"), "{}: {said}", proxy.name);
    let spent = ticks(proxy.pid) - before;
    let line = said.lines().find(|line| line.contains(" requests in ")).expect("a line of figures");
    let requests: f64 =
        line.split_whitespace().next().and_then(|count| count.parse().ok()).expect("a count");
    Figures {
        cpu_us_per_request: spent / TICKS * 1e6 / requests,
        requests_per_second: requests / f64::from(SECONDS),
    }
}

/// Processor time of a process so far, its own and the kernel's for it.
fn ticks(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, fields) = stat.rsplit_once(')').expect("a name in brackets");
    let times = fields.split_whitespace().skip(11).take(2);
    times.map(|ticks| ticks.parse::<f64>().expect("a number")).sum()
}

fn median(all: &[Figures]) -> Figures {
    let middle = |of: fn(&Figures) -> f64| {
        let mut values: Vec<f64> = all.iter().map(of).collect();
        values.sort_by(f64::total_cmp);
        values[values.len() / 2]
    };
    Figures {
        cpu_us_per_request: middle(|figures| figures.cpu_us_per_request),
        requests_per_second: middle(|figures| figures.requests_per_second),
    }
}
