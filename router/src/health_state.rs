//! The health of a target as this router has observed it, from its own checks alone.
//!
//! ```text
//! Initial --pass--> Healthy --failures--> Unhealthy --passes--> Healthy
//! Assumed --pass----^     |
//!     `---failures--> Initial
//! ```
//!
//! A healthy or assumed target is ejected (Envoy's word) when a connection to it does not open, an assumed one also when
//! its first check fails. Until its next passed check it gets no requests, but it keeps its health: one failed connect is
//! no reason to replace a task. It is checked every 250 ms so that it comes back at once, yet failures of those checks
//! count only once per interval.

use std::time::Duration;

use model::HealthCheck;
use model::observed::{CheckFailure, TargetHealth};

/// Between two checks of a target that has not passed yet or is ejected.
pub(crate) const RECHECK_INTERVAL: Duration = Duration::from_millis(250);

/// The health of a target as this router has observed it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HealthState {
    health: Health,
    ejected: bool,
    passes: u32,
    failures: u32,
    /// Failures of quick checks since the last one that counted.
    uncounted: u32,
    failed: Option<Failed>,
}

/// How a check failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failed {
    /// For people.
    pub(crate) reason: String,
    /// For the server, which decides on it.
    pub(crate) failure: CheckFailure,
}

/// What is reported of a target's health.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    /// Its health.
    pub(crate) health: TargetHealth,
    /// How its checks fail, once they have failed often enough.
    pub(crate) failed: Option<Failed>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Has not passed yet.
    Initial,
    /// Was in the table on disk when the router started; taken for healthy until a check fails.
    Assumed,
    Healthy,
    Unhealthy,
}

/// Whether a target gets requests, in ascending order of preference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Eligibility {
    /// It gets none.
    Ineligible,
    /// Only while its group has none of those below: it was healthy once and fails its checks now. A check may be wrong where
    /// the application is not, so that no target would be left otherwise (ALB's `unhealthy_state_routing`: fail open).
    OnceHealthy,
    /// Only while its group has no healthy one.
    Assumed,
    /// It has passed its checks.
    Healthy,
}

impl HealthState {
    /// Of a target that is new to this router.
    pub(crate) fn new() -> Self {
        Self::of(Health::Initial)
    }

    /// Of a target in the table that a router finds on its disk.
    pub(crate) fn assumed() -> Self {
        Self::of(Health::Assumed)
    }

    fn of(health: Health) -> Self {
        Self { health, ejected: false, passes: 0, failures: 0, uncounted: 0, failed: None }
    }

    /// Whether it gets requests.
    pub(crate) fn eligibility(&self) -> Eligibility {
        match self.health {
            Health::Healthy if !self.ejected => Eligibility::Healthy,
            Health::Assumed if !self.ejected => Eligibility::Assumed,
            Health::Unhealthy if !self.ejected => Eligibility::OnceHealthy,
            Health::Initial | Health::Assumed | Health::Healthy | Health::Unhealthy => {
                Eligibility::Ineligible
            }
        }
    }

    /// What is reported to the server, with the reason once the threshold of failures is reached.
    pub(crate) fn seen(&self, check: &HealthCheck) -> Seen {
        let failed = || self.failed.clone();
        let (health, failed) = match self.health {
            Health::Initial if self.failures >= threshold(check.unhealthy_threshold) => {
                (TargetHealth::Initial, failed())
            }
            Health::Initial | Health::Assumed => (TargetHealth::Initial, None),
            Health::Healthy => (TargetHealth::Healthy, None),
            Health::Unhealthy => (TargetHealth::Unhealthy, failed()),
        };
        Seen { health, failed }
    }

    /// Whether it gets no requests now, but may before long: its checks have not had their time yet, or it is ejected until
    /// the next of them.
    pub(crate) fn is_undecided(&self, check: &HealthCheck) -> bool {
        match self.health {
            Health::Initial => self.failures < threshold(check.unhealthy_threshold),
            Health::Assumed | Health::Healthy => self.ejected,
            Health::Unhealthy => false,
        }
    }

    /// A check passed.
    pub(crate) fn passed(&mut self, check: &HealthCheck) {
        let passes = self.passes.saturating_add(1);
        if self.health == Health::Unhealthy && passes < threshold(check.healthy_threshold) {
            self.passes = passes;
            self.ejected = false;
            return;
        }
        *self = Self::of(Health::Healthy);
    }

    /// A check failed.
    pub(crate) fn failed(&mut self, failed: Failed, check: &HealthCheck) {
        self.passes = 0;
        self.failed = Some(failed);
        if self.ejected && !self.is_due(check) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let over = self.failures >= threshold(check.unhealthy_threshold);
        match self.health {
            Health::Assumed if over => self.health = Health::Initial,
            Health::Assumed => self.ejected = true,
            Health::Healthy if over => {
                self.health = Health::Unhealthy;
                self.ejected = false;
            }
            Health::Initial | Health::Healthy | Health::Unhealthy => {}
        }
    }

    /// Whether a failure counts that follows others in quick succession.
    fn is_due(&mut self, check: &HealthCheck) -> bool {
        self.uncounted = self.uncounted.saturating_add(1);
        let due = RECHECK_INTERVAL.saturating_mul(self.uncounted) >= interval(check);
        if due {
            self.uncounted = 0;
        }
        due
    }

    /// A connection to it did not open: no requests until its next passed check. Returns whether it was eligible.
    pub(crate) fn eject(&mut self) -> bool {
        let was_eligible = self.eligibility() != Eligibility::Ineligible;
        self.ejected |= was_eligible;
        was_eligible
    }

    /// How long to wait before its next check.
    pub(crate) fn wait(&self, check: &HealthCheck) -> Duration {
        match self.health {
            Health::Initial => RECHECK_INTERVAL,
            Health::Assumed | Health::Healthy | Health::Unhealthy if self.ejected => {
                RECHECK_INTERVAL
            }
            Health::Assumed | Health::Healthy | Health::Unhealthy => interval(check),
        }
    }
}

fn threshold(set: u32) -> u32 {
    set.max(1)
}

fn interval(check: &HealthCheck) -> Duration {
    Duration::from_secs(u64::from(check.interval_seconds.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check() -> HealthCheck {
        HealthCheck::default()
    }

    fn refused() -> Failed {
        Failed { reason: "refused".to_owned(), failure: CheckFailure::Refused }
    }

    fn seen(health: TargetHealth, failed: Option<Failed>) -> Seen {
        Seen { health, failed }
    }

    fn fail(health_state: &mut HealthState, times: u32) {
        (0..times).for_each(|_| health_state.failed(refused(), &check()));
    }

    fn healthy() -> HealthState {
        let mut health_state = HealthState::new();
        health_state.passed(&check());
        health_state
    }

    #[test]
    fn a_new_target_is_healthy_after_one_pass_and_is_checked_often_until_then() {
        let mut health_state = HealthState::new();
        assert_eq!(
            (health_state.eligibility(), health_state.wait(&check())),
            (Eligibility::Ineligible, RECHECK_INTERVAL)
        );
        fail(&mut health_state, 2);
        assert_eq!(
            health_state.seen(&check()),
            seen(TargetHealth::Initial, None),
            "below the threshold there is no reason yet"
        );
        fail(&mut health_state, 1);
        assert_eq!(health_state.seen(&check()), seen(TargetHealth::Initial, Some(refused())));
        health_state.passed(&check());
        assert_eq!(health_state, healthy());
        assert_eq!(health_state.eligibility(), Eligibility::Healthy);
        assert_eq!(health_state.wait(&check()), Duration::from_secs(5));
    }

    #[test]
    fn a_healthy_target_takes_as_many_failures_in_a_row_as_the_threshold_says() {
        let mut health_state = healthy();
        fail(&mut health_state, 2);
        health_state.passed(&check());
        fail(&mut health_state, 2);
        assert_eq!(
            health_state.eligibility(),
            Eligibility::Healthy,
            "a pass in between starts the count again"
        );
        fail(&mut health_state, 1);
        assert_eq!(health_state.eligibility(), Eligibility::OnceHealthy);
        assert_eq!(health_state.seen(&check()), seen(TargetHealth::Unhealthy, Some(refused())));
    }

    #[test]
    fn an_unhealthy_target_needs_passes_in_a_row_to_come_back() {
        let mut health_state = healthy();
        fail(&mut health_state, 3);
        health_state.passed(&check());
        fail(&mut health_state, 1);
        health_state.passed(&check());
        assert_eq!(health_state.eligibility(), Eligibility::OnceHealthy);
        health_state.passed(&check());
        assert_eq!(health_state.eligibility(), Eligibility::Healthy);
    }

    #[test]
    fn an_ejected_target_keeps_its_health_and_is_back_with_its_next_pass() {
        let mut health_state = healthy();
        assert!(health_state.eject());
        assert!(!health_state.eject(), "it is ejected already");
        assert_eq!(
            (health_state.eligibility(), health_state.wait(&check())),
            (Eligibility::Ineligible, RECHECK_INTERVAL)
        );
        assert_eq!(health_state.seen(&check()), seen(TargetHealth::Healthy, None));
        health_state.passed(&check());
        assert_eq!(health_state.eligibility(), Eligibility::Healthy);
    }

    #[test]
    fn quick_failures_of_an_ejected_target_count_once_per_interval() {
        let mut health_state = healthy();
        health_state.eject();
        let rounds_per_interval = 20;
        fail(&mut health_state, 3 * rounds_per_interval - 1);
        assert_eq!(health_state.seen(&check()).health, TargetHealth::Healthy);
        fail(&mut health_state, 1);
        assert_eq!(health_state.seen(&check()).health, TargetHealth::Unhealthy);
    }

    #[test]
    fn an_assumed_target_serves_until_its_first_failure() {
        let mut health_state = HealthState::assumed();
        assert_eq!(health_state.eligibility(), Eligibility::Assumed);
        assert_eq!(health_state.seen(&check()), seen(TargetHealth::Initial, None));
        fail(&mut health_state, 1);
        assert_eq!(
            (health_state.eligibility(), health_state.wait(&check())),
            (Eligibility::Ineligible, RECHECK_INTERVAL)
        );
        assert_eq!(
            health_state.seen(&check()),
            seen(TargetHealth::Initial, None),
            "one failure is no end"
        );
        health_state.passed(&check());
        assert_eq!(health_state.eligibility(), Eligibility::Healthy);
    }

    proptest! {
        #[test]
        fn enough_failures_end_every_state_and_enough_passes_bring_every_one_back(
            steps in prop::collection::vec(0..3_u8, 0..60)
        ) {
            let mut health_state = if steps.len() % 2 == 0 { HealthState::new() } else { HealthState::assumed() };
            for step in steps {
                match step {
                    0 => health_state.passed(&check()),
                    1 => fail(&mut health_state, 1),
                    _ => drop(health_state.eject()),
                }
                prop_assert_eq!(health_state.eligibility() == Eligibility::Healthy && health_state.ejected, false);
            }
            let mut failing = health_state.clone();
            fail(&mut failing, 100);
            prop_assert!(failing.eligibility() <= Eligibility::OnceHealthy);
            prop_assert!(failing.seen(&check()).failed.is_some());
            health_state.passed(&check());
            health_state.passed(&check());
            prop_assert_eq!(health_state.eligibility(), Eligibility::Healthy);
        }
    }
}
