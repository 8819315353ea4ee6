//! What travels on the stream. Down goes desired state, up go observations; every message may be lost, repeated or
//! reordered without harm, since each carries a state and none a command.

use std::fmt::Debug;
use std::net::IpAddr;
use std::time::Duration;

use model::observed::{DiskSeen, TargetSeen};
use model::{
    AgentView, Epoch, HostIdentity, JoinTokenId, PeerRole, Platform, Resources, RouterView,
    StateRevision, Stopped, Subnet, TargetGroupId, TaskContainer, TaskId, TaskStatus,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::refusal::Refused;
use crate::v1::Version1;

/// The version of this protocol; the server and its peers support it and the one before.
///
/// Version 2 sends views as rows, where version 1 sent each as one document ([`crate::v1`]).
pub const VERSION: u32 = 2;
/// The oldest version that is still supported.
pub const OLDEST: u32 = 1;

/// Where the stream is opened.
pub(crate) const STREAM_PATH: &str = "/link";
/// The largest frame down.
pub(crate) const DOWN_FRAME_BYTES: usize = 2 * 1024 * 1024;
/// The largest frame of an agent, whose report holds all that runs on its host.
pub const AGENT_FRAME_BYTES: usize = 4 * 1024 * 1024;
/// The largest frame of a router, whose report holds all targets of all services: some 150 bytes each.
pub(crate) const ROUTER_FRAME_BYTES: usize = 16 * 1024 * 1024;
/// How many beats may be missed before a connection counts as dead.
pub(crate) const BEATS_MISSED: u32 = 3;
/// How long a frame may take to be sent, or an answer to come, before a connection counts as dead.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(15);

/// A role's end of the stream: what it sees, and what it reports.
pub trait Peer: Debug + Clone + Send + Sync + 'static {
    /// Its role.
    const ROLE: PeerRole;
    /// What the server sends down.
    type View: Version1;
    /// What it sends up: all that it sees, each time.
    type Report: Serialize
        + DeserializeOwned
        + Clone
        + Debug
        + PartialEq
        + Default
        + Send
        + Sync
        + 'static;
}

/// The agent's end.
#[derive(Debug, Clone, Copy)]
pub struct Agent;

/// The router's end.
#[derive(Debug, Clone, Copy)]
pub struct Router;

impl Peer for Agent {
    const ROLE: PeerRole = PeerRole::Agent;
    type View = AgentView;
    type Report = AgentReport;
}

impl Peer for Router {
    const ROLE: PeerRole = PeerRole::Router;
    type View = RouterView;
    type Report = RouterReport;
}

/// A frame from a peer to the server.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Up<R> {
    /// Opens the stream; comes again when something in it has changed.
    Hello {
        /// The oldest version of the protocol that the peer supports. Version 1 knew only this one, and a server of that
        /// version accepts a peer by it.
        protocol: u32,
        /// The newest version that the peer supports; none from a peer of version 1.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        newest: Option<u32>,
        /// What the peer is.
        hello: Box<Hello>,
    },
    /// All that it sees.
    Report(R),
    /// Keeps the lease while there is nothing to report.
    Beat,
}

/// A frame from the server to a peer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Down {
    /// Answers the first Hello.
    Welcome {
        /// The version of the protocol that both use from now on.
        protocol: u32,
        /// The epoch of the server: new at each of its starts.
        epoch: Epoch,
        /// The interval of beats, either way.
        beat_millis: u64,
    },
    /// The server will not serve this peer; the stream ends.
    Refused(Refused),
    /// A piece of a view's document: version 1.
    Part(ViewPart),
    /// A piece of a view's rows: version 2.
    Rows(ViewPart),
    /// Keeps the connection; the view that was sent last still holds at this revision.
    Beat {
        /// The epoch of the server: new at each of its starts.
        epoch: Epoch,
        /// None before the first view.
        revision: Option<StateRevision>,
    },
    /// Bytes are wanted on a connection of their own.
    Stream(StreamRequest),
}

/// A piece of a view's text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ViewPart {
    /// The epoch of the server that made it.
    pub(crate) epoch: Epoch,
    /// Which state.
    pub(crate) revision: StateRevision,
    /// The revision that a difference applies to; None for a whole view, which is all that this version sends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) base: Option<StateRevision>,
    /// Which piece, from 0.
    pub(crate) index: u32,
    /// How many pieces there are.
    pub(crate) count: u32,
    /// The piece.
    pub(crate) text: String,
}

/// Asks to become a peer: POST `/join`.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinRequest {
    /// Which token it has.
    pub(crate) token: JoinTokenId,
    /// What proves it.
    pub(crate) secret: String,
    /// The role to join as.
    pub(crate) role: PeerRole,
    /// A certificate signing request in PEM.
    pub(crate) request: String,
    /// What it is.
    pub(crate) hello: Hello,
}

/// Asks for a new certificate: POST `/renew`. The signing request is made by the key of the certificate, which proves
/// that the peer still has it; that works when the certificate has expired, too.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct RenewRequest {
    /// The certificate that it has.
    pub(crate) certificate: String,
    /// A certificate signing request in PEM.
    pub(crate) request: String,
}

/// Answers both requests.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CertificateResponse {
    /// The peer's certificate. It names the peer.
    pub(crate) certificate: String,
    /// The authority's certificate.
    pub(crate) authority: String,
}

/// A view with the state that it shows. The epoch orders first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Stamped<V> {
    /// The epoch of the server that made it.
    pub epoch: Epoch,
    /// Which state.
    pub revision: StateRevision,
    /// The view.
    pub view: V,
}

/// A peer's own facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Hello {
    /// What people call it: the host name unless it was given another.
    pub name: String,
    /// The version of the program.
    pub version: String,
    /// What an agent's host is and has; None from a router.
    pub host: Option<HostReport>,
}

/// What an agent's host is and has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HostReport {
    /// What it offers in total: declared, or what the host has.
    pub capacity: Resources,
    /// What its Docker runs.
    pub platform: Platform,
    /// Which boot of which network namespace it is in.
    pub identity: HostIdentity,
    /// Where its published ports can be reached.
    pub advertised_address: IpAddr,
    /// The version of its Docker Engine.
    pub docker_version: String,
    /// Why limits of a task are divided over its containers, where they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub divides_limits: Option<String>,
    /// Subnets that are taken on it, other installations' included, but not this instance's own.
    pub used_subnets: Vec<Subnet>,
}

/// All that an agent sees of its tasks.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentReport {
    /// By task.
    pub tasks: Vec<SeenTask>,
    /// Tasks that have containers here but are not in the view: reported, never touched.
    pub unknown: Vec<TaskId>,
    /// Memory of the host that processes can still get, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub available_memory_mib: Option<u64>,
    /// The file system that holds Docker's images and containers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskSeen>,
}

/// A task as its agent sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenTask {
    /// The task.
    pub task: TaskId,
    /// ACTIVATING, RUNNING, STOPPING or STOPPED.
    pub status: TaskStatus,
    /// Why it stopped by itself.
    pub stopped: Option<Stopped>,
    /// Its containers.
    pub containers: Vec<TaskContainer>,
    /// Whether its containers are removed, after the server had committed its end.
    pub reaped: bool,
    /// The most memory that its containers were seen to use together, in MiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub peak_memory_mib: Option<u64>,
}

/// All that a router sees.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterReport {
    /// The table that it serves from and has on disk.
    pub applied: Option<(Epoch, StateRevision)>,
    /// Its targets.
    pub targets: Vec<SeenTarget>,
}

/// A target as a router sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SeenTarget {
    /// Its group.
    pub target_group: TargetGroupId,
    /// Its task.
    pub task: TaskId,
    /// How it is.
    #[serde(flatten)]
    pub seen: TargetSeen,
}

/// A request of the server for bytes on a connection of their own: the agent answers it by a POST to `/streams/{id}`
/// with a body that it writes as the bytes come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StreamRequest {
    /// Random; names the stream.
    pub id: String,
    /// What is wanted.
    pub stream: Stream,
}

/// What a stream carries.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "kind")]
pub enum Stream {
    /// Log lines, each as `CONTAINER TEXT\n`.
    #[serde(rename_all = "camelCase")]
    Logs {
        /// The task.
        task: TaskId,
        /// Only this container.
        container: Option<model::ContainerName>,
        /// Whether to go on as lines come.
        follow: bool,
        /// How many of the last lines to begin with; None for all.
        tail: Option<u32>,
    },
}
