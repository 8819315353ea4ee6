//! A small web application to deploy: Berth's own binary under a hidden subcommand, so that trying Berth needs no image
//! from elsewhere. Versions of its image differ in configuration only.

use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::routing::any;
use tokio::signal::unix::{SignalKind, signal};

pub mod image;

/// How the sample application behaves; all of it comes from the image's configuration.
#[derive(Debug, Clone)]
pub struct Sample {
    /// What it calls itself.
    pub version: String,
    /// Where it listens.
    pub listen: SocketAddr,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a version, on purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It exits at once.
    Exits,
    /// It answers every request with 500.
    Unhealthy,
    /// It answers, and exits a few seconds later, every time.
    Crashes,
    /// It listens only after three quarters of a minute.
    Slow,
    /// It answers 400 to a Host that is an address, as frameworks that guard against foreign ones do.
    Strict,
    /// It writes many lines and exits.
    Loud,
}

/// How long it answers before it exits.
const CRASHES_AFTER: Duration = Duration::from_secs(6);
/// How long it takes to listen.
const SLOW_START: Duration = Duration::from_secs(45);
/// Lines that it writes before it exits.
const LOUD_LINES: u32 = 60;

impl Fault {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::None,
        Self::Exits,
        Self::Unhealthy,
        Self::Crashes,
        Self::Slow,
        Self::Strict,
        Self::Loud,
    ];

    /// Its name on the command line and in the image's configuration.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Exits => "exits",
            Self::Unhealthy => "unhealthy",
            Self::Crashes => "crashes",
            Self::Slow => "slow",
            Self::Strict => "strict",
            Self::Loud => "loud",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|fault| fault.name() == name)
    }
}

impl Sample {
    fn announce(&self) {
        tracing::info!("sample application, version {}", self.version);
    }
}

/// Runs it until SIGTERM; requests in flight are answered first.
pub fn run(sample: Sample) -> ExitCode {
    if sample.fault == Fault::Exits {
        sample.announce();
        tracing::error!("version {} is broken on purpose: it exits at once", sample.version);
        return ExitCode::from(1);
    }
    if sample.fault == Fault::Loud {
        sample.announce();
        tracing::error!("version {}: the root cause", sample.version);
        (1..=LOUD_LINES).for_each(|line| tracing::error!("line {line}"));
        return ExitCode::from(1);
    }
    let served = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .and_then(|runtime| runtime.block_on(serve(sample)));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("the sample application cannot run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(sample: Sample) -> std::io::Result<()> {
    let mut term = signal(SignalKind::terminate())?;
    // Whoever has read this may send the signal.
    sample.announce();
    if sample.fault == Fault::Slow {
        tokio::select! {
            () = tokio::time::sleep(SLOW_START) => {}
            _ = term.recv() => return Ok(()),
        }
    }
    let listener = tokio::net::TcpListener::bind(sample.listen).await?;
    let crashes = sample.fault == Fault::Crashes;
    let app = Router::new().fallback(any(answer)).with_state(sample);
    let served = axum::serve(listener, app).with_graceful_shutdown(async move {
        term.recv().await;
    });
    tokio::select! {
        served = served.into_future() => served,
        () = tokio::time::sleep(CRASHES_AFTER), if crashes => {
            Err(std::io::Error::other("it gives up, as it is broken on purpose"))
        }
    }
}

#[derive(Debug, serde::Deserialize)]
struct Wishes {
    /// How long to take.
    #[serde(default)]
    millis: u64,
}

/// Says which version answers and what it received; takes as long as it is asked to.
async fn answer(
    State(sample): State<Sample>,
    Query(wishes): Query<Wishes>,
    headers: HeaderMap,
    body: Bytes,
) -> (axum::http::StatusCode, String) {
    tokio::time::sleep(Duration::from_millis(wishes.millis.min(60_000))).await;
    if sample.fault == Fault::Unhealthy {
        let text = format!("version {} is broken on purpose\n", sample.version);
        return (axum::http::StatusCode::INTERNAL_SERVER_ERROR, text);
    }
    let host = headers.get("host").and_then(|host| host.to_str().ok()).unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    if sample.fault == Fault::Strict && name.parse::<std::net::IpAddr>().is_ok() {
        return (axum::http::StatusCode::BAD_REQUEST, format!("`{host}` is no host of mine\n"));
    }
    let request = headers.get("x-request-id").and_then(|id| id.to_str().ok()).unwrap_or("-");
    let text = format!("version {}, request {request}, {} bytes\n", sample.version, body.len());
    (axum::http::StatusCode::OK, text)
}
