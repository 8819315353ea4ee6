//! What a decision is made on, all of it given: snapshots, settings, who asks, the time and randomness.

use std::fmt;

use access::{Resource, authorize};
use api::RegistryDisk;
use model::{
    Epoch, History, HistoryPlace, LeaseTimes, Observed, Region, State, StateRevision, Timestamp,
};

use crate::{Caller, Operation};

/// What does not change while the server runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Setup {
    /// The version of the program.
    pub version: String,
    /// Which life of the control plane this is.
    pub epoch: Epoch,
    /// The region in ARNs.
    pub region: Region,
    /// How long silence of a peer means what.
    pub lease: LeaseTimes,
    /// `host:port` of the registry, as people write it in image names.
    pub registry_address: String,
    /// `host:port` that agents and routers dial.
    pub link_address: String,
    /// SHA-256 of the CA's public key in hexadecimal digits, for join tokens.
    pub ca_fingerprint: String,
}

/// History that a request asked for, newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Past {
    /// Each row with the place that the next page can begin behind.
    pub rows: Vec<(HistoryPlace, History)>,
    /// Whether there is nothing older.
    pub is_complete: bool,
}

/// What answers are formed from: State and observations at one moment, for one caller.
#[derive(Debug, Clone, Copy)]
pub struct View<'a> {
    /// Who asks.
    pub caller: &'a Caller,
    /// What the control plane decides on.
    pub state: &'a State,
    /// What peers report.
    pub observed: &'a Observed,
    /// The history that the request asked for.
    pub past: &'a Past,
    /// What does not change.
    pub setup: &'a Setup,
    /// The port of the local router, for the URLs of services; zero while it is not known.
    pub router_port: u16,
    /// Whether the server is ready.
    pub is_ready: bool,
    /// The disk of the registry, once it was measured.
    pub registry_disk: Option<RegistryDisk>,
    /// The time.
    pub now: Timestamp,
}

impl View<'_> {
    /// Whether who asks may see one thing of a list.
    pub fn shows(&self, operation: Operation, resource: impl Into<Resource>) -> bool {
        let (principal, action) = (&self.caller.principal, operation.action());
        authorize(self.state, principal, action, &resource.into()).is_ok()
    }

    /// Which state this is.
    pub fn revision(&self) -> StateRevision {
        self.state.revision()
    }
}

/// What a request is decided on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// What is there, and who asks.
    pub view: View<'a>,
    /// Fills bytes with random ones.
    pub fill: &'a (dyn Fn(&mut [u8]) + Sync),
}

impl Context<'_> {
    /// Random bytes, for an id or a secret.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        (self.fill)(&mut bytes);
        bytes
    }
}

impl fmt::Debug for Context<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("view", &self.view).finish_non_exhaustive()
    }
}
