//! What peers report and is not stored: leases, target health, drain progress.
//!
//! It lives in the server's memory and is rebuilt from reports. Unknown is not bad: what nobody has reported starts,
//! stops and fails nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::{InstanceId, RouterId, StateRevision, TargetGroupId, TaskId};
use crate::time::Timestamp;

/// Everything observed since the server started.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// When the server started: every lease is full then.
    pub since: Timestamp,
    /// By instance.
    pub instances: BTreeMap<InstanceId, Presence>,
    /// What agents measure on their hosts.
    pub hosts: BTreeMap<InstanceId, HostSeen>,
    /// By router.
    pub routers: BTreeMap<RouterId, RouterSeen>,
}

/// Whether a peer is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Presence {
    /// Whether its stream is open.
    pub connected: bool,
    /// When it was last heard of.
    pub heard_at: Timestamp,
}

/// A host as its agent measures it. Each part is None while it has not been measured.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HostSeen {
    /// Memory that processes can still get, in MiB (`MemAvailable`).
    pub available_memory_mib: Option<u64>,
    /// The file system that holds Docker's images and containers.
    pub disk: Option<DiskSeen>,
    /// The most memory that each task was seen to use, in MiB.
    pub peak_memory_mib: BTreeMap<TaskId, u64>,
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct DiskSeen {
    /// Its size in MiB.
    pub total_mib: u64,
    /// What is free for processes without privileges, in MiB.
    pub free_mib: u64,
}

impl DiskSeen {
    /// Whether it is about to be full: less than a twentieth or than 512 MiB is free.
    pub fn is_nearly_full(&self) -> bool {
        self.free_mib < self.low_mib()
    }

    /// Whether it is so far from that again that the next layer does not change it: half as much more is free.
    pub fn has_room(&self) -> bool {
        self.free_mib >= self.low_mib() + self.low_mib() / 2
    }

    fn low_mib(&self) -> u64 {
        (self.total_mib / 20).max(512)
    }
}

/// A router as observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RouterSeen {
    /// Whether it is there.
    pub presence: Presence,
    /// The revision of the table that it serves from and has on disk, in this epoch.
    pub applied: Option<StateRevision>,
    /// Its targets, by group and task.
    pub targets: BTreeMap<(TargetGroupId, TaskId), TargetSeen>,
}

/// A target as one router sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetSeen {
    /// Its health.
    pub health: TargetHealth,
    /// Why it is not healthy, in a sentence.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How its checks fail, where they do. None from a router that does not say it.
    #[serde(default, deserialize_with = "known_failure", skip_serializing_if = "Option::is_none")]
    pub failure: Option<CheckFailure>,
    /// Whether the router has taken it out of rotation in the table that it has on disk.
    pub draining: bool,
    /// Requests and tunnels that it still has there.
    pub in_flight: u32,
}

/// How a check of a target fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum CheckFailure {
    /// It cannot be reached.
    Unreachable,
    /// Nothing listens.
    Refused,
    /// It does not answer in time.
    NoAnswer,
    /// The connection ends before the answer.
    Broken,
    /// It says itself that it is not ready yet (503).
    NotReady,
    /// It answers with another status than it should.
    WrongStatus,
}

/// One that is not known is none: a router of a later version must not lose its link by it.
fn known_failure<'de, D: serde::Deserializer<'de>>(
    from: D,
) -> Result<Option<CheckFailure>, D::Error> {
    use serde::de::IntoDeserializer as _;
    let name = Option::<String>::deserialize(from)?;
    let known = |name: String| {
        let name: serde::de::value::StringDeserializer<serde::de::value::Error> =
            name.into_deserializer();
        CheckFailure::deserialize(name).ok()
    };
    Ok(name.and_then(known))
}

/// ELB's target states, as far as a router's own checks tell them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// Has not passed a check yet.
    Initial,
    /// Passes.
    Healthy,
    /// Passed once and fails now.
    Unhealthy,
}

/// How long silence means what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTimes {
    /// Silence after which an instance gets no new tasks.
    pub suspect_after: Duration,
    /// Silence after which it counts as disconnected.
    pub disconnected_after: Duration,
    /// Silence after which its tasks are replaced.
    pub lost_after: Duration,
}

impl Default for LeaseTimes {
    fn default() -> Self {
        Self {
            suspect_after: Duration::from_secs(10),
            disconnected_after: Duration::from_secs(15),
            lost_after: Duration::from_mins(1),
        }
    }
}

/// What a peer's silence means now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Lease {
    /// Heard of lately.
    Ready,
    /// Some beats missed: no new tasks.
    Suspect,
    /// The lease is over: no new tasks, its own go on.
    Disconnected,
    /// Gone: its tasks are replaced.
    Lost,
}

impl LeaseTimes {
    /// What this much silence means.
    pub fn lease(&self, silence: Duration) -> Lease {
        match silence {
            long if long >= self.lost_after => Lease::Lost,
            long if long >= self.disconnected_after => Lease::Disconnected,
            long if long >= self.suspect_after => Lease::Suspect,
            _ => Lease::Ready,
        }
    }
}

impl Observed {
    /// Nothing heard yet.
    pub fn new(since: Timestamp) -> Self {
        Self { since, instances: BTreeMap::new(), hosts: BTreeMap::new(), routers: BTreeMap::new() }
    }

    /// The lease of an instance. One that has not been heard of since the server started counts from that start.
    pub fn instance_lease(&self, id: InstanceId, times: &LeaseTimes, now: Timestamp) -> Lease {
        let heard = self.instances.get(&id).map_or(self.since, |seen| seen.heard_at);
        times.lease(now.since(heard))
    }

    /// The lease of a router, the same way.
    pub fn router_lease(&self, id: RouterId, times: &LeaseTimes, now: Timestamp) -> Lease {
        let heard = self.routers.get(&id).map_or(self.since, |seen| seen.presence.heard_at);
        times.lease(now.since(heard))
    }

    /// Whether the instance's agent is on the line.
    pub fn connected(&self, id: InstanceId) -> bool {
        self.instances.get(&id).is_some_and(|seen| seen.connected)
    }

    /// The agent of an instance was heard of.
    pub fn hear_instance(&mut self, id: InstanceId, connected: bool, now: Timestamp) {
        self.instances.insert(id, Presence { connected, heard_at: now });
    }

    /// A router was heard of.
    pub fn hear_router(
        &mut self,
        id: RouterId,
        connected: bool,
        now: Timestamp,
    ) -> &mut RouterSeen {
        let presence = Presence { connected, heard_at: now };
        let seen = self.routers.entry(id).or_insert_with(|| RouterSeen {
            presence,
            applied: None,
            targets: BTreeMap::new(),
        });
        seen.presence = presence;
        seen
    }

    /// How the connected routers that have the target see it: healthy only if all do, unhealthy if any does. None where
    /// no connected router has reported it: unknown is not bad.
    pub fn target_health(&self, group: TargetGroupId, task: TaskId) -> Option<TargetSeen> {
        let seen = self
            .routers
            .values()
            .filter(|router| router.presence.connected)
            .filter_map(|router| router.targets.get(&(group, task)));
        let rank = |seen: &&TargetSeen| match seen.health {
            TargetHealth::Unhealthy => 0,
            TargetHealth::Initial => 1,
            TargetHealth::Healthy => 2,
        };
        seen.min_by_key(rank).cloned()
    }

    /// Whether every one of these routers serves from a table at least as new as `revision`.
    pub fn all_applied(&self, routers: &BTreeSet<RouterId>, revision: StateRevision) -> bool {
        routers.iter().all(|id| {
            self.routers.get(id).and_then(|seen| seen.applied).is_some_and(|at| at >= revision)
        })
    }
}
