//! The image mirror: Docker pulls from this agent, on loopback, and gets no byte that does not hash to the digest that it was
//! asked for.
//!
//! Docker accepts a loopback registry without TLS or configuration, but every process on the host can dial loopback too; so
//! the mirror demands a secret that is random in each agent process and goes only to Docker, with each pull. It serves by
//! digest only, and forwards to the registry over the link, where the instance's certificate decides what it may read. The
//! user name of a request names the pull, so that the cause of a failure is known, which Docker's message would hide.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use model::PinnedImage;
use subtle::ConstantTimeEq as _;
use tokio::net::TcpListener;

use crate::Error;
use crate::error::MirrorError;

mod serve;
mod verify;

/// What a frame of zstd begins with (RFC 8878 section 3.1.1).
const ZSTD: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// Where the chosen address is kept, so that images keep their names over a restart.
const FILE: &str = "mirror";

/// The mirror, as the agent's own pulls see it.
#[derive(Debug)]
pub(crate) struct Mirror {
    address: SocketAddr,
    secret: String,
    pulls: Mutex<HashMap<String, Pull>>,
}

/// What is known of a pull.
#[derive(Debug, Default)]
struct Pull {
    failure: Option<MirrorError>,
    /// Whether something of it was compressed with zstd.
    has_zstd: bool,
}

/// The credentials that Docker gets for one pull.
#[derive(Debug)]
pub(crate) struct PullCredentials {
    mirror: Arc<Mirror>,
    user: String,
}

impl Mirror {
    /// One that is reached at this address.
    fn new(address: SocketAddr) -> Self {
        Self { address, secret: random(), pulls: Mutex::default() }
    }

    /// The name under which Docker pulls an image from here.
    pub(crate) fn name(&self, image: &PinnedImage) -> String {
        format!("{}/{image}", self.address)
    }

    /// Whether an image of that name was pulled from here.
    pub(crate) fn has_brought(&self, name: &str) -> bool {
        name.strip_prefix(&self.address.to_string()).is_some_and(|rest| rest.starts_with('/'))
    }

    /// Credentials for one pull.
    pub(crate) fn issue_credentials(self: &Arc<Self>) -> PullCredentials {
        let user = random();
        self.pulls().insert(user.clone(), Pull::default());
        PullCredentials { mirror: Arc::clone(self), user }
    }

    /// The pull that a request with this `Authorization` belongs to; None where it is not valid. Docker may still use the
    /// credentials of a pull that has ended, since pulls of the same layer share one download.
    fn authenticate(&self, authorization: Option<&str>) -> Option<String> {
        let encoded = authorization?.strip_prefix("Basic ")?;
        let decoded = String::from_utf8(STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (user, secret) = decoded.split_once(':')?;
        let is_right = bool::from(secret.as_bytes().ct_eq(self.secret.as_bytes()));
        is_right.then(|| user.to_owned())
    }

    /// Records why a pull fails. A final error is not replaced by a later one.
    fn record(&self, user: &str, error: MirrorError) {
        if let Some(known) = self.pulls().get_mut(user)
            && !matches!(known.failure, Some(MirrorError::NotFound))
        {
            known.failure = Some(error);
        }
    }

    /// Records the first bytes of a body.
    fn record_begin(&self, user: &str, bytes: &[u8]) {
        if bytes.starts_with(&ZSTD)
            && let Some(known) = self.pulls().get_mut(user)
        {
            known.has_zstd = true;
        }
    }

    fn pulls(&self) -> MutexGuard<'_, HashMap<String, Pull>> {
        self.pulls.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PullCredentials {
    /// The user name for Docker.
    pub(crate) fn user(&self) -> &str {
        &self.user
    }

    /// The password for Docker.
    pub(crate) fn secret(&self) -> &str {
        &self.mirror.secret
    }

    /// Why the mirror could not serve the pull, if it could not.
    pub(crate) fn failure(&self) -> Option<MirrorError> {
        self.mirror.pulls().get(&self.user)?.failure.clone()
    }

    /// Whether something that was pulled is compressed with zstd, which Docker before 23.0 cannot read.
    pub(crate) fn has_zstd(&self) -> bool {
        self.mirror.pulls().get(&self.user).is_some_and(|pull| pull.has_zstd)
    }
}

impl Drop for PullCredentials {
    fn drop(&mut self) {
        self.mirror.pulls().remove(&self.user);
    }
}

/// Binds the mirror's port: the configured one, else the one that was chosen at first start, else a free one, which is kept.
/// A kept port that another process has bound meanwhile is replaced.
pub(crate) async fn listen(dir: &Path, wanted: Option<SocketAddr>) -> Result<TcpListener, Error> {
    let failed = |address| move |source| Error::Mirror { address, source };
    if let Some(address) = wanted.filter(|address| address.port() != 0) {
        return TcpListener::bind(address).await.map_err(failed(address));
    }
    let ip = wanted.map_or(IpAddr::V4(Ipv4Addr::LOCALHOST), |address| address.ip());
    let path = dir.join(FILE);
    let kept: Option<SocketAddr> =
        std::fs::read_to_string(&path).ok().and_then(|text| text.trim().parse().ok());
    if let Some(kept) = kept.filter(|kept| kept.ip() == ip && ip.is_loopback()) {
        match TcpListener::bind(kept).await {
            Ok(listener) => return Ok(listener),
            Err(error) => {
                tracing::warn!(%error, "the image mirror's port {kept} is taken; choosing another one");
            }
        }
    }
    let free = SocketAddr::new(ip, 0);
    let listener = TcpListener::bind(free).await.map_err(failed(free))?;
    let address = listener.local_addr().map_err(failed(free))?;
    disk::write(&path, address.to_string().as_bytes(), 0o600)
        .map_err(|source| Error::File { path, source })?;
    Ok(listener)
}

fn random() -> String {
    hex::encode(rand::random::<[u8; 32]>())
}

#[cfg(test)]
mod tests;
