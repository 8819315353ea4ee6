//! Requests at a steady rate, each counted as sent and, unless it is answered with 2xx, as failed.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Between two requests.
const PERIOD: Duration = Duration::from_millis(20);
/// A request without an answer for this long has failed.
const PATIENCE: Duration = Duration::from_secs(35);

/// What was counted so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Requests sent.
    pub(crate) sent: u64,
    /// Requests answered by something else than 2xx, or not at all.
    pub(crate) failed: u64,
}

/// A generator that runs until it is stopped.
#[derive(Debug)]
pub(crate) struct Load {
    shared: Arc<Shared>,
    stop: CancellationToken,
    running: tokio::task::JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Shared {
    sent: AtomicU64,
    failed: AtomicU64,
    last_body: Mutex<String>,
    failures: Mutex<Vec<String>>,
}

impl Load {
    /// Begins to GET `url`, naming `host`.
    pub(crate) fn start(url: String, host: String) -> Self {
        let shared = Arc::new(Shared::default());
        let stop = CancellationToken::new();
        let running = tokio::spawn(send_all(url, host, Arc::clone(&shared), stop.clone()));
        Self { shared, stop, running }
    }

    /// What was counted so far.
    pub(crate) fn counts(&self) -> Counts {
        self.shared.counts()
    }

    /// The body that was answered last: says which version answers.
    pub(crate) fn last_body(&self) -> String {
        self.shared.last_body.lock().map(|body| body.clone()).unwrap_or_default()
    }

    /// Sends no more, waits for what is under way, and says what failed.
    pub(crate) async fn stop(self) -> (Counts, Vec<String>) {
        self.stop.cancel();
        self.running.await.ok();
        let failures = self.shared.failures.lock().map(|list| list.clone()).unwrap_or_default();
        (self.shared.counts(), failures)
    }
}

impl Shared {
    fn counts(&self) -> Counts {
        // Failed first: a request is counted as sent before it can fail.
        let failed = self.failed.load(Ordering::SeqCst);
        Counts { sent: self.sent.load(Ordering::SeqCst), failed }
    }

    fn failed(&self, why: String) {
        self.failed.fetch_add(1, Ordering::SeqCst);
        if let Ok(mut failures) = self.failures.lock()
            && failures.len() < 20
        {
            failures.push(why);
        }
    }
}

async fn send_all(url: String, host: String, shared: Arc<Shared>, stop: CancellationToken) {
    let client = reqwest::Client::builder().no_proxy().tls_certs_only([]).timeout(PATIENCE).build();
    let client = client.expect("a client without certificates of its own can always be built");
    let mut ticks = tokio::time::interval(PERIOD);
    let mut under_way = JoinSet::new();
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
        }
        while under_way.try_join_next().is_some() {}
        let request = client.get(&url).header("host", &host);
        let shared = Arc::clone(&shared);
        under_way.spawn(async move { send(request, &shared).await });
    }
    while under_way.join_next().await.is_some() {}
}

async fn send(request: reqwest::RequestBuilder, shared: &Shared) {
    shared.sent.fetch_add(1, Ordering::SeqCst);
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => return shared.failed(format!("no answer: {error:?}")),
    };
    let status = answer.status();
    match answer.text().await {
        Ok(body) if status.is_success() => {
            if let Ok(mut last) = shared.last_body.lock() {
                *last = body;
            }
        }
        Ok(body) => shared.failed(format!("{status}: {}", body.trim())),
        Err(error) => shared.failed(format!("{status}, body cut off: {error:?}")),
    }
}
