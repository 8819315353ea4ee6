//! Requests without a pause, each checked, until the test has seen enough: of several methods on connections of their own, or
//! many on one connection.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::http;

/// Requests under way.
#[derive(Debug)]
pub(crate) struct Load {
    stop: Arc<AtomicBool>,
    sent: Arc<AtomicU64>,
    failures: Arc<Mutex<Vec<String>>>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Begins to send requests of these methods for `host`, each on a thread of its own.
    pub(crate) fn start(router: &str, host: &str, methods: &[&'static str]) -> Self {
        let mut load = Self {
            stop: Arc::default(),
            sent: Arc::default(),
            failures: Arc::default(),
            threads: Vec::new(),
        };
        for method in methods {
            let (stop, sent) = (Arc::clone(&load.stop), Arc::clone(&load.sent));
            let failures = Arc::clone(&load.failures);
            let (url, host, method) = (format!("{router}/?millis=5"), host.to_owned(), *method);
            load.threads.push(std::thread::spawn(move || {
                while !stop.load(Ordering::SeqCst) {
                    let body = if method == "POST" { "hello" } else { "" };
                    sent.fetch_add(1, Ordering::SeqCst);
                    let why = match http::request(&url, method, Some(&host), &[], body) {
                        Ok(answer) if answer.status == 200 => continue,
                        Ok(answer) => format!("{method}: {} {}", answer.status, answer.body),
                        Err(error) => format!("{method}: {error}"),
                    };
                    failures.lock().expect("no holder panics").push(why);
                }
            }));
        }
        load
    }

    /// How many were sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.load(Ordering::SeqCst)
    }

    /// Waits until `more` requests were sent from now on.
    pub(crate) fn goes_on(&self, more: u64) {
        let wanted = self.sent() + more;
        super::until("requests go on", || self.sent() >= wanted);
    }

    /// Ends it; panics if any request failed.
    #[track_caller]
    pub(crate) fn all_answered(self) -> u64 {
        let (sent, failures) = self.stopped();
        assert!(failures.is_empty(), "{} of {sent} failed: {failures:#?}", failures.len());
        sent
    }

    /// Ends it; how many were sent, and why some of them failed.
    pub(crate) fn stopped(mut self) -> (u64, Vec<String>) {
        let failures = self.end();
        (self.sent(), failures)
    }

    fn end(&mut self) -> Vec<String> {
        self.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.join().expect("no sender panics");
        }
        self.failures.lock().expect("no holder panics").clone()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
    }
}

/// Requests one after another on a connection that is kept as long as the other side says nothing else.
#[derive(Debug)]
pub(crate) struct KeepAlive {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<io::Result<u64>>,
}

impl KeepAlive {
    /// Begins to send them.
    pub(crate) fn start(router: &str, host: &str) -> Self {
        let address = router.strip_prefix("http://").expect("without TLS").to_owned();
        let request = format!("GET /?millis=5 HTTP/1.1\r\nHost: {host}\r\n\r\n");
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            let (mut sent, mut kept) = (0, None);
            while !stopped.load(Ordering::SeqCst) {
                let mut stream: TcpStream = match kept.take() {
                    Some(stream) => stream,
                    None => TcpStream::connect(&address)?,
                };
                stream.write_all(request.as_bytes())?;
                let head = answered(&mut stream)?;
                sent += 1;
                if !head.contains("\r\nconnection: close") {
                    kept = Some(stream);
                }
            }
            Ok(sent)
        });
        Self { stop, thread }
    }

    /// Ends them; panics if any was not answered.
    #[track_caller]
    pub(crate) fn all_answered(self) -> u64 {
        self.stop.store(true, Ordering::SeqCst);
        self.thread.join().expect("no sender panics").expect("every request is answered")
    }
}

/// The head of an answer in small letters, once its body is read too.
fn answered(stream: &mut TcpStream) -> io::Result<String> {
    let (mut bytes, mut piece) = (Vec::new(), [0; 4_096]);
    loop {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            let length: usize = length.and_then(|text| text.parse().ok()).unwrap_or(0);
            if body.len() >= length {
                let is_good = head.starts_with("http/1.1 200");
                return if is_good { Ok(head) } else { Err(io::Error::other(text)) };
            }
        }
        match stream.read(&mut piece)? {
            0 => return Err(io::ErrorKind::UnexpectedEof.into()),
            read => bytes.extend_from_slice(&piece[..read]),
        }
    }
}
