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

    fn healthy(&self) -> usize {
        let members = self.fresh.iter().chain(&self.stale);
        members.filter(|member| member.condition == Condition::Healthy).count()
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

    /// Which tasks to stop, given how many fresh ones could not be started for lack of room.
    pub(crate) fn stops(&self, bounds: Bounds, shortage: usize) -> Vec<(TaskId, Cause)> {
        let mut spare = self.healthy().saturating_sub(bounds.minimum);
        let mut stops = Vec::new();
        self.stop_stale(bounds, shortage, &mut spare, &mut stops);
        self.stop_surplus(bounds, &mut spare, &mut stops);
        if stops.is_empty() && shortage > 0 && self.stale.is_empty() {
            self.stop_unhealthy(&mut stops);
        }
        stops
    }

    fn stop_stale(
        &self,
        bounds: Bounds,
        shortage: usize,
        spare: &mut usize,
        stops: &mut Vec<(TaskId, Cause)>,
    ) {
        let holds = self.holds && bounds.desired > 0;
        let (serving, other): (Vec<_>, Vec<_>) = self.stale.iter().partition(|member| {
            matches!(member.condition, Condition::Healthy | Condition::Unhealthy(_))
                || (holds && member.condition == Condition::Unknown)
        });
        stops.extend(other.into_iter().map(|member| (member.id, Cause::Replaced)));
        if holds {
            return;
        }
        let taken_over = (self.fresh_healthy() + serving.len()).saturating_sub(bounds.desired);
        let count = taken_over.max(shortage);
        stop_some(serving, count, spare, &Cause::Replaced, stops);
    }

    fn stop_surplus(&self, bounds: Bounds, spare: &mut usize, stops: &mut Vec<(TaskId, Cause)>) {
        let aim = if self.is_starting() { self.aim(bounds) } else { bounds.desired };
        let count = self.fresh.len().saturating_sub(aim);
        stop_some(self.fresh.iter().collect(), count, spare, &Cause::ScaledIn, stops);
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

/// Stops `count` of them: those that serve least first, then the newest; healthy ones only while some can be spared.
fn stop_some(
    mut members: Vec<&Member>,
    count: usize,
    spare: &mut usize,
    cause: &Cause,
    stops: &mut Vec<(TaskId, Cause)>,
) {
    let rank = |member: &Member| match member.condition {
        Condition::Unhealthy(_) | Condition::Failing(_) => 0,
        Condition::Starting | Condition::Unknown => 1,
        Condition::Healthy => 2,
    };
    members.sort_by(|a, b| (rank(a), b.created_at, b.id).cmp(&(rank(b), a.created_at, a.id)));
    for member in members.into_iter().take(count) {
        if member.condition == Condition::Healthy {
            if *spare == 0 {
                return;
            }
            *spare -= 1;
        }
        let cause = match (&member.condition, cause) {
            (Condition::Unhealthy(reason), Cause::ScaledIn) => Cause::Unhealthy(reason.clone()),
            _ => cause.clone(),
        };
        stops.push((member.id, cause));
    }
}
