//! Requests of several methods without a pause, each checked, until the test has seen enough.

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
