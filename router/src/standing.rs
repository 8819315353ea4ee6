//! What a router thinks of a target, from its own checks alone.
//!
//! ```text
//! New ----pass----> Healthy --failures--> Unhealthy --passes--> Healthy
//! Presumed --pass-^     |  ^
//!     `----failures--> New  `- out: a connect failed, or the first check of a presumed one; until the next pass
//! ```
//!
//! A target that is out gets no requests but keeps its health: one failed connect is no reason to replace a task. It is
//! checked often so that it comes back at once, yet its failures count no more often than the interval says.

use std::time::Duration;

use model::HealthCheck;
use model::observed::TargetHealth;

/// Between two checks while a first pass, or the pass that brings a target back, is awaited.
pub(crate) const QUICK: Duration = Duration::from_millis(250);

/// What a router thinks of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    health: Health,
    out: bool,
    passes: u32,
    failures: u32,
    /// Quick failures since the last one that counted.
    uncounted: u32,
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Health {
    /// Has not passed yet.
    New,
    /// Was in the table of the router's former life, and is believed until a check says otherwise.
    Presumed,
    Healthy,
    Unhealthy,
}

/// Whether a target gets requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Use {
    /// No.
    Never,
    /// While its group has none that is proven.
    Presumed,
    /// Yes.
    Proven,
}

impl Standing {
    /// Of a target that is new here.
    pub(crate) fn new() -> Self {
        Self::of(Health::New)
    }

    /// Of a target in the table that a router finds on its disk.
    pub(crate) fn presumed() -> Self {
        Self::of(Health::Presumed)
    }

    fn of(health: Health) -> Self {
        Self { health, out: false, passes: 0, failures: 0, uncounted: 0, reason: None }
    }

    /// Whether it gets requests.
    pub(crate) fn usable(&self) -> Use {
        match self.health {
            Health::Healthy if !self.out => Use::Proven,
            Health::Presumed if !self.out => Use::Presumed,
            Health::New | Health::Presumed | Health::Healthy | Health::Unhealthy => Use::Never,
        }
    }

    /// What the control plane is told, with the reason once the threshold of failures is reached.
    pub(crate) fn seen(&self, check: &HealthCheck) -> (TargetHealth, Option<String>) {
        let reason = || self.reason.clone();
        match self.health {
            Health::New if self.failures >= threshold(check.unhealthy_threshold) => {
                (TargetHealth::Initial, reason())
            }
            Health::New | Health::Presumed => (TargetHealth::Initial, None),
            Health::Healthy => (TargetHealth::Healthy, None),
            Health::Unhealthy => (TargetHealth::Unhealthy, reason()),
        }
    }

    /// A check passed.
    pub(crate) fn passed(&mut self, check: &HealthCheck) {
        let passes = self.passes.saturating_add(1);
        if self.health == Health::Unhealthy && passes < threshold(check.healthy_threshold) {
            self.passes = passes;
            return;
        }
        *self = Self::of(Health::Healthy);
    }

    /// A check failed.
    pub(crate) fn failed(&mut self, reason: String, check: &HealthCheck) {
        self.passes = 0;
        self.reason = Some(reason);
        if self.out && !self.is_due(check) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        let over = self.failures >= threshold(check.unhealthy_threshold);
        match self.health {
            Health::Presumed if over => self.health = Health::New,
            Health::Presumed => self.out = true,
            Health::Healthy if over => {
                self.health = Health::Unhealthy;
                self.out = false;
            }
            Health::New | Health::Healthy | Health::Unhealthy => {}
        }
    }

    /// Whether a failure counts that follows others in quick succession.
    fn is_due(&mut self, check: &HealthCheck) -> bool {
        self.uncounted = self.uncounted.saturating_add(1);
        let due = QUICK.saturating_mul(self.uncounted) >= interval(check);
        if due {
            self.uncounted = 0;
        }
        due
    }

    /// No connection to it opened: no requests until its next pass. Whether that changes anything.
    pub(crate) fn take_out(&mut self) -> bool {
        let was_in = self.usable() != Use::Never;
        self.out |= was_in;
        was_in
    }

    /// How long to wait before its next check.
    pub(crate) fn wait(&self, check: &HealthCheck) -> Duration {
        match self.health {
            Health::New => QUICK,
            Health::Presumed | Health::Healthy if self.out => QUICK,
            Health::Presumed | Health::Healthy | Health::Unhealthy => interval(check),
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

    fn fail(standing: &mut Standing, times: u32) {
        (0..times).for_each(|_| standing.failed("refused".to_owned(), &check()));
    }

    fn healthy() -> Standing {
        let mut standing = Standing::new();
        standing.passed(&check());
        standing
    }

    #[test]
    fn a_new_target_is_healthy_after_one_pass_and_is_checked_often_until_then() {
        let mut standing = Standing::new();
        assert_eq!((standing.usable(), standing.wait(&check())), (Use::Never, QUICK));
        fail(&mut standing, 2);
        assert_eq!(standing.seen(&check()), (TargetHealth::Initial, None), "too early to blame it");
        fail(&mut standing, 1);
        assert_eq!(standing.seen(&check()), (TargetHealth::Initial, Some("refused".to_owned())));
        standing.passed(&check());
        assert_eq!(standing, healthy());
        assert_eq!(standing.usable(), Use::Proven);
        assert_eq!(standing.wait(&check()), Duration::from_secs(5));
    }

    #[test]
    fn a_healthy_target_takes_as_many_failures_in_a_row_as_the_threshold_says() {
        let mut standing = healthy();
        fail(&mut standing, 2);
        standing.passed(&check());
        fail(&mut standing, 2);
        assert_eq!(standing.usable(), Use::Proven, "a pass in between forgives");
        fail(&mut standing, 1);
        assert_eq!(standing.usable(), Use::Never);
        assert_eq!(standing.seen(&check()), (TargetHealth::Unhealthy, Some("refused".to_owned())));
    }

    #[test]
    fn an_unhealthy_target_needs_passes_in_a_row_to_come_back() {
        let mut standing = healthy();
        fail(&mut standing, 3);
        standing.passed(&check());
        fail(&mut standing, 1);
        standing.passed(&check());
        assert_eq!(standing.usable(), Use::Never);
        standing.passed(&check());
        assert_eq!(standing.usable(), Use::Proven);
    }

    #[test]
    fn a_target_that_is_out_keeps_its_health_and_is_back_with_its_next_pass() {
        let mut standing = healthy();
        assert!(standing.take_out());
        assert!(!standing.take_out(), "it is out already");
        assert_eq!((standing.usable(), standing.wait(&check())), (Use::Never, QUICK));
        assert_eq!(standing.seen(&check()), (TargetHealth::Healthy, None));
        standing.passed(&check());
        assert_eq!(standing.usable(), Use::Proven);
    }

    #[test]
    fn quick_failures_of_a_target_that_is_out_count_once_per_interval() {
        let mut standing = healthy();
        standing.take_out();
        let rounds_per_interval = 20;
        fail(&mut standing, 3 * rounds_per_interval - 1);
        assert_eq!(standing.seen(&check()).0, TargetHealth::Healthy);
        fail(&mut standing, 1);
        assert_eq!(standing.seen(&check()).0, TargetHealth::Unhealthy);
    }

    #[test]
    fn a_presumed_target_serves_until_its_first_failure() {
        let mut standing = Standing::presumed();
        assert_eq!(standing.usable(), Use::Presumed);
        assert_eq!(standing.seen(&check()), (TargetHealth::Initial, None));
        fail(&mut standing, 1);
        assert_eq!((standing.usable(), standing.wait(&check())), (Use::Never, QUICK));
        assert_eq!(standing.seen(&check()), (TargetHealth::Initial, None), "one failure is no end");
        standing.passed(&check());
        assert_eq!(standing.usable(), Use::Proven);
    }

    proptest! {
        #[test]
        fn enough_failures_end_every_standing_and_enough_passes_bring_every_one_back(
            steps in prop::collection::vec(0..3_u8, 0..60)
        ) {
            let mut standing = if steps.len() % 2 == 0 { Standing::new() } else { Standing::presumed() };
            for step in steps {
                match step {
                    0 => standing.passed(&check()),
                    1 => fail(&mut standing, 1),
                    _ => drop(standing.take_out()),
                }
                prop_assert_eq!(standing.usable() == Use::Proven && standing.out, false);
            }
            let mut failing = standing.clone();
            fail(&mut failing, 100);
            prop_assert_eq!(failing.usable(), Use::Never);
            prop_assert!(failing.seen(&check()).1.is_some());
            standing.passed(&check());
            standing.passed(&check());
            prop_assert_eq!(standing.usable(), Use::Proven);
        }
    }
}
