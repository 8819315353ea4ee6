//! The simulation finds faults: each that can be switched on, by the invariant that it breaks.

use super::*;
use crate::planted::{Fault, switch};

/// Seeds that are tried at most.
const SEEDS: u64 = 60;

#[track_caller]
fn finds(fault: Fault, invariant: Invariant) {
    switch(Some(fault));
    let found = (0..SEEDS).find_map(broken_by);
    switch(None);
    let (broken, log) = found.unwrap_or_else(|| panic!("{SEEDS} seeds do not find {fault:?}"));
    assert_eq!(broken, Some(invariant), "{log}");
}

#[test]
fn healthy_tasks_stopped_below_the_minimum_are_found() {
    finds(Fault::NoMinimum, Invariant::Minimum);
}

#[test]
fn tasks_beyond_the_maximum_are_found() {
    finds(Fault::NoMaximum, Invariant::Maximum);
}

#[test]
fn a_task_that_one_router_alone_finds_healthy_is_found() {
    finds(Fault::OneRouterIsEnough, Invariant::HealthyByAll);
}

#[test]
fn a_task_stopped_under_requests_is_found() {
    finds(Fault::NoDrain, Invariant::Drained);
}

#[test]
fn an_address_given_out_too_early_is_found() {
    finds(Fault::AddressWithoutWait, Invariant::Address);
}

#[test]
fn a_bad_push_that_is_tried_again_is_found() {
    finds(Fault::FailureForgotten, Invariant::TriedOnce);
}

#[test]
fn a_failure_without_a_way_back_is_found() {
    finds(Fault::NoRollback, Invariant::Healed);
}

#[test]
fn a_lost_instance_that_is_waited_for_is_found() {
    finds(Fault::NothingIsLost, Invariant::Healed);
}

#[test]
fn a_removed_service_that_stays_is_found() {
    finds(Fault::RemovedServiceStays, Invariant::Gone);
}

#[test]
fn a_task_on_an_instance_that_is_away_is_found() {
    finds(Fault::SilenceIsIgnored, Invariant::Placement);
}

#[test]
fn a_deployment_that_is_complete_too_early_is_found() {
    finds(Fault::CompleteAtOnce, Invariant::Complete);
}

#[test]
fn a_pause_without_end_is_found() {
    finds(Fault::EndlessPause, Invariant::Healed);
}
