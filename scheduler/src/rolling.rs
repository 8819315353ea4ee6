//! Which tasks of a service to start and to stop, from counts alone: new ones first, old ones only as far as enough
//! healthy ones are left.
//!
//! Never more wanted tasks than the maximum, and no healthy task is stopped here when that leaves fewer than the minimum.
//! Healthy old tasks go when new ones have taken their place, or when nothing else makes room.

use std::collections::BTreeSet;

use model::{Service, TaskId, Timestamp};

use crate::health::TaskHealth;
use crate::planted::{self, Fault};

/// How many tasks a service may have, and how many of them must be healthy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Bounds {
    pub(crate) desired: usize,
    pub(crate) minimum: usize,
    pub(crate) maximum: usize,
}

impl Bounds {
    pub(crate) fn of(service: &Service) -> Self {
        let configuration = &service.deployment_configuration;
        let count = |tasks: u32| usize::try_from(tasks).unwrap_or(usize::MAX);
        let desired = service.desired_count;
        Self {
            desired: count(desired),
            minimum: count(configuration.minimum(desired).min(desired)),
            maximum: count(configuration.maximum(desired)),
        }
    }
}

/// A task that should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: TaskId,
    pub(crate) created_at: Timestamp,
    pub(crate) health: TaskHealth,
    /// Whether its containers run: it may serve, whatever anybody knows of its health.
    pub(crate) runs: bool,
    /// Whether its instance is there and takes tasks: a replacement may well land there.
    pub(crate) is_replaceable: bool,
    /// Whether it runs what the deployment that counts wants.
    pub(crate) is_own: bool,
}

impl Member {
    /// One that is only just planned.
    pub(crate) fn new(id: TaskId, created_at: Timestamp) -> Self {
        Self {
            id,
            created_at,
            health: TaskHealth::Starting,
            runs: false,
            is_replaceable: true,
            is_own: true,
        }
    }

    fn is_healthy(&self) -> bool {
        self.health == TaskHealth::Healthy
    }

    /// How well it serves.
    fn rank(&self) -> u8 {
        match self.health {
            TaskHealth::Unhealthy(_) | TaskHealth::Failing(_) => 0,
            TaskHealth::Starting | TaskHealth::Unknown => 1,
            TaskHealth::Healthy => 2,
        }
    }

    /// Whether it may serve somebody.
    fn may_serve(&self) -> bool {
        self.runs && self.rank() > 0
    }
}

/// The tasks of a service that should run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ServiceTasks {
    /// Of the deployment that counts, on instances that keep them.
    pub(crate) fresh: Vec<Member>,
    /// Of older deployments, or on instances that give them up.
    pub(crate) stale: Vec<Member>,
    /// Told to stop and not stopped yet: their room comes back by itself.
    pub(crate) stopping: usize,
    /// Whether stale tasks must stay because no router is connected that checks fresh ones.
    pub(crate) holds: bool,
}

/// A task to stop, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stop {
    pub(crate) task: TaskId,
    pub(crate) cause: Cause,
}

/// Why a task is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is stale.
    Replaced,
    /// There are more than desired.
    ScaledIn,
    /// It fails this check and is replaced.
    Unhealthy(String),
}

impl ServiceTasks {
    fn all(&self) -> impl Iterator<Item = &Member> {
        self.fresh.iter().chain(&self.stale)
    }

    /// Whether fresh tasks are on their way.
    pub(crate) fn is_starting(&self) -> bool {
        let is_starting =
            |m: &Member| matches!(m.health, TaskHealth::Starting | TaskHealth::Unknown);
        self.fresh.iter().any(is_starting)
    }

    /// Whether fresh tasks run that no router checks.
    pub(crate) fn waits_for_routers(&self) -> bool {
        self.holds && self.fresh.iter().any(|member| member.health == TaskHealth::Unknown)
    }

    fn unhealthy(&self) -> impl Iterator<Item = (&Member, &String)> {
        self.fresh.iter().filter(|member| member.is_replaceable).filter_map(|member| match &member
            .health
        {
            TaskHealth::Unhealthy(check) => Some((member, check)),
            TaskHealth::Healthy
            | TaskHealth::Failing(_)
            | TaskHealth::Starting
            | TaskHealth::Unknown => None,
        })
    }

    /// One more than desired while an unhealthy task is replaced: one at a time, however many there are.
    fn aim(&self, bounds: Bounds) -> usize {
        bounds.desired + usize::from(bounds.desired > 0 && self.unhealthy().next().is_some())
    }

    /// How many fresh tasks are missing.
    pub(crate) fn missing(&self, bounds: Bounds) -> usize {
        self.aim(bounds).saturating_sub(self.fresh.len())
    }

    /// How many more tasks there may be.
    pub(crate) fn room(&self, bounds: Bounds) -> usize {
        if planted::is_on(Fault::NoMaximum) {
            return usize::MAX;
        }
        bounds.maximum.saturating_sub(self.all().count())
    }

    /// Stale tasks that do not run yet, and the rest without them: they serve nobody, and their room is wanted.
    pub(crate) fn without_idle(self) -> (Vec<Stop>, Self) {
        let (stale, idle): (Vec<_>, Vec<_>) =
            self.stale.into_iter().partition(|member| member.runs);
        let stop = |member: Member| Stop { task: member.id, cause: Cause::Replaced };
        (idle.into_iter().map(stop).collect(), Self { stale, ..self })
    }

    /// With new tasks of the deployment.
    #[must_use]
    pub(crate) fn with(mut self, new: impl Iterator<Item = Member>) -> Self {
        self.fresh.extend(new);
        self
    }

    /// Which tasks to stop, given how many fresh ones could not be started for lack of room.
    pub(crate) fn stops(&self, bounds: Bounds, shortage: usize) -> Vec<Stop> {
        let budget = DisruptionBudget::of(self, bounds);
        let may_replace = !self.holds || bounds.desired == 0;
        let healthy = self.fresh.iter().filter(|member| member.is_healthy()).count();
        let taken_over = (healthy + self.stale.len()).saturating_sub(bounds.desired);
        let count = if may_replace { taken_over.max(shortage) } else { 0 };
        let (replaced, budget) = budget.spend(&self.stale, count);
        let aim = if self.is_starting() { self.aim(bounds) } else { bounds.desired };
        let (scaled_in, _) = budget.spend(&self.fresh, self.fresh.len().saturating_sub(aim));

        let replaced = replaced.into_iter().map(|member| (member, Cause::Replaced));
        let scaled_in = scaled_in.into_iter().map(|member| match &member.health {
            TaskHealth::Unhealthy(check) => (member, Cause::Unhealthy(check.clone())),
            TaskHealth::Healthy
            | TaskHealth::Failing(_)
            | TaskHealth::Starting
            | TaskHealth::Unknown => (member, Cause::ScaledIn),
        });
        let stops = replaced.chain(scaled_in);
        let stops: Vec<_> = stops.map(|(member, cause)| Stop { task: member.id, cause }).collect();
        if stops.is_empty() && shortage > 0 && self.stale.is_empty() {
            return self.unhealthy_first();
        }
        stops
    }

    /// No room to start the replacement first: the unhealthy task goes first, unless others are on their way.
    fn unhealthy_first(&self) -> Vec<Stop> {
        if self.is_starting() || self.stopping > 0 {
            return Vec::new();
        }
        let first = self.unhealthy().next();
        let stop = |(member, check): (&Member, &String)| Stop {
            task: member.id,
            cause: Cause::Unhealthy(check.clone()),
        };
        first.map(stop).into_iter().collect()
    }

    /// Whether the desired count is healthy and nothing older is left, once these are stopped.
    pub(crate) fn is_complete(&self, bounds: Bounds, stops: &[Stop]) -> bool {
        let stopped: BTreeSet<_> = stops.iter().map(|stop| stop.task).collect();
        let left = || self.all().filter(|member| !stopped.contains(&member.id));
        if planted::is_on(Fault::CompleteAtOnce) {
            return true;
        }
        left().all(|member| member.is_own)
            && left().filter(|member| member.is_healthy()).count() >= bounds.desired
    }
}

/// How many tasks can be stopped without too few being left.
#[derive(Debug, Clone, Copy)]
struct DisruptionBudget {
    /// Of those that are healthy.
    healthy: usize,
    /// Of those that run and may serve, proven or not.
    running: usize,
}

impl DisruptionBudget {
    fn of(tasks: &ServiceTasks, bounds: Bounds) -> Self {
        if planted::is_on(Fault::NoMinimum) {
            return Self { healthy: usize::MAX, running: usize::MAX };
        }
        let healthy = tasks.all().filter(|member| member.is_healthy()).count();
        let running = tasks.all().filter(|member| member.may_serve()).count();
        Self {
            healthy: healthy.saturating_sub(bounds.minimum),
            running: running.saturating_sub(bounds.minimum),
        }
    }

    /// What is left when this one is stopped; None when it must stay.
    fn without(self, member: &Member) -> Option<Self> {
        if !member.may_serve() {
            return Some(self);
        }
        let healthy = if member.is_healthy() { self.healthy.checked_sub(1)? } else { self.healthy };
        Some(Self { healthy, running: self.running.checked_sub(1)? })
    }

    /// Up to `count` of them to stop, those that serve least first, then the newest; and what is left of the budget.
    fn spend(self, members: &[Member], count: usize) -> (Vec<&Member>, Self) {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|a, b| (a.rank(), b.created_at, b.id).cmp(&(b.rank(), a.created_at, a.id)));
        let mut stopped = Vec::new();
        let mut left = self;
        for member in members.into_iter().take(count) {
            let Some(after) = left.without(member) else { break };
            left = after;
            stopped.push(member);
        }
        (stopped, left)
    }
}

#[cfg(test)]
mod tests;
