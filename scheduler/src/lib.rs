//! `plan` decides from its arguments alone, proposes nothing that `State::apply` would refuse, and proposes nothing at
//! all for a settled state.
//!
//! That makes recovery free: whatever was half done when the server stopped is a difference between what is wanted and
//! what is, and the next plan closes it. It works on a scratch copy of State to which it applies each Change as it
//! proposes it, so a later step sees the earlier ones: no room is given out twice. The price is that every Change is
//! applied twice, which is cheap beside the write to disk that follows.
//!
//! `run` is the thin loop around it: wake, plan, submit.

use model::{Change, Observed, State, Timestamp};

mod deployment;
mod draft;
mod filter;
mod hash;
mod health;
mod instance;
mod launch;
mod place;
mod rolling;
mod routers;
mod sentence;
mod service;
mod settings;
mod shell;
mod standalone;

#[cfg(test)]
mod tests;

pub use settings::Settings;
pub use shell::run;

use draft::Draft;

/// What should be done next.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Plan {
    /// In this order; each is valid alone once those before it are applied, and small enough for one commit.
    pub batches: Vec<Vec<Change>>,
    /// When to plan again even if nothing has changed by then: a deadline, a back-off, a lease.
    pub wake_at: Option<Timestamp>,
}

/// What should be done next, decided from these arguments alone. `random` makes new ids unique.
///
/// Order matters: what is gone frees its addresses before new tasks want some, and tasks of lost instances are given up
/// before their services are counted.
pub fn plan(
    state: &State,
    observed: &Observed,
    now: Timestamp,
    settings: &Settings,
    random: &mut dyn FnMut() -> [u8; 10],
) -> Plan {
    let mut draft = Draft::new(state, observed, now, settings, random);
    routers::forget(&mut draft);
    routers::drain(&mut draft);
    instance::give_up_lost(&mut draft);
    let services: Vec<_> = state.services().map(|service| service.id).collect();
    for id in services {
        service::plan(&mut draft, id);
    }
    standalone::place(&mut draft);
    draft.finish()
}
