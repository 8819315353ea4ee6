//! Which tasks of a service to start and to stop, from counts alone: new ones first, old ones only as far as enough
//! healthy ones are left.
//!
//! Never more wanted tasks than the maximum, and no healthy task is stopped here when that leaves fewer than the minimum.
//! Healthy old tasks go when new ones have taken their place, or when nothing else makes room.

use model::{Service, TaskId, Timestamp};

use crate::health::Condition;

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
    pub(crate) condition: Condition,
    /// Whether its containers run: it may serve, whatever anybody knows of its health.
    pub(crate) runs: bool,
    /// Whether its instance is there and takes tasks: a replacement may well land there.
    pub(crate) replaceable: bool,
}

/// The tasks of a service that should run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Roster {
    /// Of the deployment that counts, on instances that keep them.
    pub(crate) fresh: Vec<Member>,
    /// Of older deployments, or on instances that give them up.
    pub(crate) stale: Vec<Member>,
    /// Told to stop and not stopped yet: their room comes back by itself.
    pub(crate) stopping: usize,
    /// Whether stale tasks must stay because nobody can tell how fresh ones do.
    pub(crate) holds: bool,
}

/// Why a task is stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Cause {
    /// It is stale.
    Replaced,
    /// There are more than desired.
    ScaledIn,
    /// It fails its checks and is replaced.
    Unhealthy(String),
}

impl Roster {
    pub(crate) fn wanted(&self) -> usize {
        self.fresh.len() + self.stale.len()
    }

    fn fresh_healthy(&self) -> usize {
        self.fresh.iter().filter(|member| member.condition == Condition::Healthy).count()
    }

    /// Whether fresh tasks are on their way.
    pub(crate) fn is_starting(&self) -> bool {
        self.fresh.iter().any(|m| matches!(m.condition, Condition::Starting | Condition::Unknown))
    }

    fn unhealthy(&self) -> impl Iterator<Item = &Member> {
        let fails = |m: &&Member| matches!(m.condition, Condition::Unhealthy(_)) && m.replaceable;
        self.fresh.iter().filter(fails)
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
        bounds.maximum.saturating_sub(self.wanted())
    }

    /// Takes out stale tasks that do not run yet: they serve nobody, and their room is wanted.
    pub(crate) fn take_idle(&mut self) -> Vec<TaskId> {
        let (stale, idle): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.stale).into_iter().partition(|member| member.runs);
        self.stale = stale;
        idle.into_iter().map(|member| member.id).collect()
    }

    /// Which tasks to stop, given how many fresh ones could not be started for lack of room.
    pub(crate) fn stops(&self, bounds: Bounds, shortage: usize) -> Vec<(TaskId, Cause)> {
        let mut spare = Spare::of(self, bounds);
        let mut stops = Vec::new();
        if !self.holds || bounds.desired == 0 {
            let taken_over =
                (self.fresh_healthy() + self.stale.len()).saturating_sub(bounds.desired);
            let count = taken_over.max(shortage);
            spare.stop(&self.stale, count, &Cause::Replaced, &mut stops);
        }
        let aim = if self.is_starting() { self.aim(bounds) } else { bounds.desired };
        let count = self.fresh.len().saturating_sub(aim);
        spare.stop(&self.fresh, count, &Cause::ScaledIn, &mut stops);
        if stops.is_empty() && shortage > 0 && self.stale.is_empty() {
            self.stop_unhealthy(&mut stops);
        }
        stops
    }

    /// No room to start the replacement first: the unhealthy task goes first, unless others are on their way.
    fn stop_unhealthy(&self, stops: &mut Vec<(TaskId, Cause)>) {
        if self.is_starting() || self.stopping > 0 {
            return;
        }
        if let Some(member) = self.unhealthy().next()
            && let Condition::Unhealthy(reason) = &member.condition
        {
            stops.push((member.id, Cause::Unhealthy(reason.clone())));
        }
    }
}

/// How many tasks can be spared.
struct Spare {
    /// Of those that are healthy.
    healthy: usize,
    /// Of those that run and may serve, proven or not.
    running: usize,
}

impl Spare {
    fn of(roster: &Roster, bounds: Bounds) -> Self {
        let members = || roster.fresh.iter().chain(&roster.stale);
        let healthy = members().filter(|member| member.condition == Condition::Healthy).count();
        let running = members().filter(|member| member.runs && rank(member) > 0).count();
        Self {
            healthy: healthy.saturating_sub(bounds.minimum),
            running: running.saturating_sub(bounds.minimum),
        }
    }

    /// Whether one more can go.
    fn lets_go(&mut self, member: &Member) -> bool {
        if !member.runs || rank(member) == 0 {
            return true;
        }
        let is_healthy = member.condition == Condition::Healthy;
        if self.running == 0 || (is_healthy && self.healthy == 0) {
            return false;
        }
        self.running -= 1;
        self.healthy -= usize::from(is_healthy);
        true
    }

    /// Stops up to `count` of them: those that serve least first, then the newest.
    fn stop(
        &mut self,
        members: &[Member],
        count: usize,
        cause: &Cause,
        stops: &mut Vec<(TaskId, Cause)>,
    ) {
        let mut members: Vec<_> = members.iter().collect();
        members.sort_by(|a, b| (rank(a), b.created_at, b.id).cmp(&(rank(b), a.created_at, a.id)));
        for member in members.into_iter().take(count) {
            if !self.lets_go(member) {
                return;
            }
            let cause = match (&member.condition, cause) {
                (Condition::Unhealthy(reason), Cause::ScaledIn) => Cause::Unhealthy(reason.clone()),
                _ => cause.clone(),
            };
            stops.push((member.id, cause));
        }
    }
}

/// How well it serves.
fn rank(member: &Member) -> u8 {
    match member.condition {
        Condition::Unhealthy(_) | Condition::Failing(_) => 0,
        Condition::Starting | Condition::Unknown => 1,
        Condition::Healthy => 2,
    }
}
