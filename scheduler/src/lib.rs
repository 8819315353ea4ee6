//! `plan` decides from its arguments alone, proposes nothing that `State::apply` would refuse, and proposes nothing at
//! all for a settled state.
//!
//! That makes recovery free: whatever was half done when the server stopped is a difference between what is wanted and
//! what is, and the next plan closes it. Facts about instances and tasks are assessed once; then one step after the other
//! turns them, and the State as it will be with what is proposed so far, into proposals. So a later step sees the earlier
//! ones: no room is given out twice. The price is that every Change is applied twice, which is cheap beside the write to
//! disk that follows.

use model::{Observed, State, Timestamp};

mod assessment;
mod breaker;
mod builder;
mod deployment;
mod drain;
mod filter;
mod forget;
mod hash;
mod health;
mod ids;
mod inputs;
mod instance;
mod launch;
mod lost;
mod memory;
mod place;
mod planted;
mod proposals;
mod relaunch;
mod request;
mod rolling;
mod room;
mod rotation;
mod sentence;
mod service;
mod settings;
mod situation;
mod standalone;
mod suspended;
mod tally;

#[cfg(test)]
mod tests;

pub use builder::Plan;
pub use settings::Settings;

use assessment::Assessment;
use builder::PlanBuilder;
use ids::Ids;
use inputs::Inputs;

/// What should be done next, decided from these arguments alone. `random` makes new ids unique.
///
/// Order matters: what is gone frees its addresses before new tasks want some, and tasks of lost instances are given up
/// before their services are counted.
pub fn plan(
    state: &State,
    observed: &Observed,
    now: Timestamp,
    settings: &Settings,
    random: [u8; 10],
) -> Plan {
    let facts = Assessment::of(Inputs { state, observed, now, settings });
    let plan = PlanBuilder::new(&facts, Ids::from(random));
    let first = [forget::step, drain::step, lost::step, suspended::step];
    let plan = first.into_iter().fold(plan, PlanBuilder::step);
    let plan = state.services().fold(plan, |plan, service| {
        service::STEPS.into_iter().fold(plan, |plan, step| plan.step_of(service.id, step))
    });
    plan.step(standalone::step).finish()
}
