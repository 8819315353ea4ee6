//! A whole installation on virtual time, driven by a seed: agents that start, fail and hang tasks, routers that check and
//! drain with delay, pushes, kills, lost instances, server restarts. After each Change that the scheduler proposes, what
//! must never break is checked against what the actors really do, not against what the scheduler believes.
//!
//! A failing seed is printed; `BERTH_TEST_SEED` replays it alone.

use std::time::Duration;

use model::{Change, InstanceChange, InstanceId, InstanceStatus, ServiceChange};

use super::world::digest;
use actors::TYPO;
use broken::{Broken, Invariant, must};
use image::{Image, image};
use installation::{Disturbed, Simulation};

mod actors;
mod broken;
mod chance;
mod chaos;
mod image;
mod installation;
mod invariants;
mod planted;

/// How long it may take at most, once nothing more happens, until all is as it should be. A bad push in the way takes its
/// time to fail and to be taken back; a lost instance its lease, and a mass loss the pause before it is believed.
const HEALED_WITHIN: Duration = Duration::from_mins(5);

impl Simulation {
    fn run(&mut self) {
        for _ in 0..500 {
            let step = self.random.millis(20, 1500);
            self.tick(step);
            if self.random.chance(6) {
                self.chaos();
            }
        }
        let lost = self.calm();
        self.check_converged();
        self.remove_all(lost);
    }

    fn tick(&mut self, step: Duration) {
        self.world.now = self.world.now.plus(step);
        let now = self.world.now;
        if now < self.server_back_at {
            self.actors(false);
            return;
        }
        self.actors(true);
        self.plan_and_commit();
    }

    /// Plans twice, and commits as the server does: what is refused waits for the next plan.
    fn plan_and_commit(&mut self) {
        for _ in 0..2 {
            let plan = self.world.plan();
            self.disturbed = Disturbed::default();
            for batch in plan.batches {
                if self.is_wild && self.random.chance(2) {
                    let mut disturbed = std::mem::take(&mut self.disturbed);
                    let event = self.people(&mut disturbed);
                    self.disturbed = disturbed;
                    self.log.push(format!("{} -- meanwhile: {event}", self.world.now));
                }
                if self.is_wild && self.random.chance(1) {
                    self.disturbed.anything = true;
                    self.log.push(format!("{} -- a batch is not written", self.world.now));
                    continue;
                }
                for group in &batch {
                    self.commit(group);
                }
                self.check_rules();
                // Between any two commits the server may be killed.
                if self.is_wild && self.random.chance(1) {
                    self.server_back_at = self.world.now.plus(self.random.millis(100, 5_000));
                    self.restart_server();
                    self.log.push(format!("{} -- the server is killed", self.world.now));
                    return;
                }
            }
        }
    }

    /// Commits what goes together or not at all.
    fn commit(&mut self, group: &[Change]) {
        let is_refused = self.world.state.clone().apply_all(group, self.world.now).is_err();
        let is_expected = self.disturbed.anything;
        if is_refused && is_expected {
            self.log.push(format!("{} -- refused", self.world.now));
            return;
        }
        must(!is_refused, Invariant::Effect, || format!("is refused: {group:?}"));
        for change in group {
            self.check_before(change);
            let text = self.world.describe(change);
            self.log.push(format!("{} {text}", self.world.now));
            let has_effect = self.world.apply(change.clone());
            must(has_effect || is_expected, Invariant::Effect, || format!("does nothing: {text}"));
            self.check_after(change);
        }
    }

    fn actors(&mut self, server: bool) {
        for (id, agent) in &mut self.agents {
            agent.act(*id, &mut self.world, &mut self.random, server);
        }
        for (id, router) in &mut self.routers {
            router.act(*id, &mut self.world, &self.agents, &mut self.random, server);
        }
    }

    /// Everything comes back, one instance perhaps never, and nothing more happens.
    fn calm(&mut self) -> Option<InstanceId> {
        self.log.push(format!("{} -- all is calm", self.world.now));
        self.is_wild = false;
        let now = self.world.now;
        if self.server_back_at > now {
            self.server_back_at = now;
            self.restart_server();
        }
        let ids: Vec<_> = self.agents.keys().copied().collect();
        for instance in ids {
            self.world
                .apply(InstanceChange::SetStatus { instance, status: InstanceStatus::Active });
        }
        self.agents.values_mut().for_each(|agent| agent.vanish(now, false));
        let mut lost = None;
        if self.agents.len() > 1 && self.random.chance(50) {
            let (id, agent) = self.agents.iter_mut().next().unwrap();
            agent.vanish(now.plus(Duration::from_hours(9)), true);
            lost = Some(*id);
        }
        self.routers.values_mut().for_each(|router| router.vanish(now, false));
        self.mend();
        self.settle(Invariant::Healed);
        lost
    }

    fn settle(&mut self, invariant: Invariant) {
        let began_at = self.world.now;
        let mut changed_at = began_at;
        // Every pause and delay is shorter than this silence.
        let mut quiet = 0;
        while quiet < 120 {
            let step = self.random.millis(500, 1500);
            let before = self.log.len();
            self.tick(step);
            quiet += 1;
            if self.log.len() > before {
                (quiet, changed_at) = (0, self.world.now);
            }
            let took = changed_at.since(began_at);
            must(took <= HEALED_WITHIN, invariant, || format!("still changes after {took:?}"));
        }
    }

    fn remove_all(&mut self, lost: Option<InstanceId>) {
        if let Some(id) = lost {
            self.remove_instance(id);
        }
        for (id, _) in self.services.clone() {
            self.world.apply(ServiceChange::Drain(id));
        }
        self.settle(Invariant::Gone);
        let (services, tasks) =
            (self.world.state.services().count(), self.world.state.tasks().count());
        must((services, tasks) == (0, 0), Invariant::Gone, || {
            format!("{services} services and {tasks} tasks are left")
        });
        self.check_rows();
    }

    /// A first image that is broken has nothing to go back to. A good push ends that, and is as good as any for the others.
    fn mend(&mut self) {
        for (id, name) in self.services.clone() {
            let service = self.world.state.service(id).unwrap();
            let requested = self.world.state.requested_revision(service).unwrap();
            let broken = requested.images.values().any(|known| image(&known.digest) != Image::Good);
            let balancers = &requested.load_balancers;
            if balancers.iter().any(|balancer| balancer.health_check.path == TYPO) {
                self.world.change(id, |revision| {
                    revision.load_balancers[0].health_check.path = "/".to_owned();
                });
            }
            let is_unproven = self.world.state.service(id).unwrap().completed.is_empty();
            if broken || is_unproven || self.random.chance(30) {
                self.pushed += 1;
                while image(&digest(self.pushed)) != Image::Good {
                    self.pushed += 1;
                }
                self.world.push(name, self.pushed);
                self.log.push(format!("{} -- push {} to {name}", self.world.now, self.pushed));
            }
        }
    }
}

/// Runs a seed; what it breaks, with what happened before.
fn broken_by(seed: u64) -> Option<(Option<Invariant>, String)> {
    let mut simulation = Simulation::new(seed);
    let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| simulation.run()));
    let payload = run.err()?;
    let log = simulation.log.split_off(simulation.log.len().saturating_sub(80)).join("\n");
    Some(match payload.downcast::<Broken>() {
        Ok(broken) => {
            let Broken { invariant, detail } = *broken;
            (Some(invariant), format!("{log}\n{invariant:?}: {detail}"))
        }
        Err(_) => (None, log),
    })
}

#[expect(clippy::disallowed_methods, reason = "the size of a test run is not configuration")]
fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn whatever_happens_what_must_never_break_does_not() {
    let seeds = match variable("BERTH_TEST_SEED") {
        Some(seed) => seed..seed + 1,
        None if variable("BERTH_TEST_FULL").is_some() => 0..1000,
        None => 0..25,
    };
    for seed in seeds {
        if let Some((_, log)) = broken_by(seed) {
            panic!("{log}\nseed {seed} fails; BERTH_TEST_SEED={seed} replays it");
        }
    }
}
