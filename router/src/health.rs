//! Checks targets: one loop per target, from its first view until it drains or leaves the table.
//!
//! The loop only performs checks; [`crate::health_state`] decides what their outcomes mean. A target is checked at its
//! direct address if it has one for this router, and at its published one if that fails.

use std::sync::Arc;
use std::time::Duration;

use model::observed::CheckFailure;
use model::{HealthCheck, HealthCheckProtocol};
use rand::RngExt as _;

use self::probe::ProbeError;
use crate::health_state::Failed;
use crate::routes::NewTarget;
use crate::sentence::check as sentence;
use crate::target::{Addresses, Endpoint, Target};

mod probe;

/// Checks a target for as long as it may get requests.
pub(crate) async fn watch((group, target): NewTarget) {
    let checks = async {
        while !target.is_draining() {
            let check = target.check();
            let outcome = examine(target.addresses(), &check).await;
            if let Err(Failed { reason, failure: _ }) = &outcome {
                tracing::debug!(task.id = %target.task(), reason, "a check of task `{}` failed", target.task());
            }
            if target.checked(outcome) {
                group.refresh();
            }
            pause(&target, target.wait()).await;
        }
    };
    tokio::select! {
        () = checks => {}
        () = target.removed() => {}
    }
}

/// The first endpoint at which the check passes, or why it passes at none. An answer of the target itself explains more
/// than a connection that failed, so it is preferred as the reason.
async fn examine(addresses: Addresses, check: &HealthCheck) -> Result<Endpoint, Failed> {
    let mut found: Option<ProbeError> = None;
    for endpoint in addresses.endpoints() {
        let checked = match check.port {
            Some(port) => endpoint.at_port(port),
            None => Some(endpoint),
        };
        let Some(checked) = checked else { continue };
        match probe::probe(checked, check).await {
            Ok(()) => return Ok(endpoint),
            Err(fault)
                if found.as_ref().is_none_or(|known| !known.is_answer && fault.is_answer) =>
            {
                found = Some(fault);
            }
            Err(_) => {}
        }
    }
    let failure = found.as_ref().map_or(CheckFailure::Unreachable, |fault| fault.failure);
    let why = found.map(|fault| fault.why);
    let why = why.unwrap_or_else(sentence::no_address);
    let reason = match check.protocol {
        HealthCheckProtocol::Http => sentence::of_path(&check.path, &why),
        HealthCheckProtocol::Tcp => why,
    };
    Err(Failed { reason, failure })
}

/// Waits for the interval with 10 % of jitter, so that checks spread, or until a recheck is requested.
async fn pause(target: &Arc<Target>, wait: Duration) {
    let wait = wait.mul_f64(rand::rng().random_range(0.9..1.1));
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = target.recheck_requested() => {}
    }
}
