//! Checks the targets: one loop per target, from its first view until it drains or leaves the table.
//!
//! The loop only performs checks; what their outcomes mean is [`crate::standing`]'s to say. A target is checked at its
//! direct address if it has one for this router, and at its published one if that fails.

use std::sync::Arc;
use std::time::Duration;

use model::{HealthCheck, HealthCheckProtocol};
use rand::RngExt as _;

use self::probe::Fault;
use crate::routes::Fresh;
use crate::target::{Addresses, Target, Way};

mod probe;

/// Checks a target for as long as it may get requests.
pub(crate) async fn watch((group, target): Fresh) {
    let checks = async {
        while !target.is_draining() {
            let check = group.check();
            let outcome = examine(target.addresses(), &check).await;
            if let Err(reason) = &outcome {
                tracing::debug!(task.id = %target.task(), reason, "a check of task `{}` failed", target.task());
            }
            if target.checked(outcome, &check) {
                group.refresh();
            }
            pause(&target, target.wait(&check)).await;
        }
    };
    tokio::select! {
        () = checks => {}
        () = target.gone() => {}
    }
}

/// The first way to the target on which the check passes, or why it passes on none: what the target said, on the best way
/// where it said anything.
async fn examine(addresses: Addresses, check: &HealthCheck) -> Result<Way, String> {
    let mut found: Option<Fault> = None;
    for way in addresses.ways() {
        match probe::probe(way, check).await {
            Ok(()) => return Ok(way),
            Err(fault)
                if found.as_ref().is_none_or(|known| !known.is_answer && fault.is_answer) =>
            {
                found = Some(fault);
            }
            Err(_) => {}
        }
    }
    let why = found.map(|fault| fault.why);
    let why = why.unwrap_or_else(|| "it has no address that this router could reach".to_owned());
    Err(match check.protocol {
        HealthCheckProtocol::Http => format!("GET {}: {why}", check.path),
        HealthCheckProtocol::Tcp => why,
    })
}

/// Waits, a little more or less each time so that checks spread, or until the target is to be checked at once.
async fn pause(target: &Arc<Target>, wait: Duration) {
    let wait = wait.mul_f64(rand::rng().random_range(0.9..1.1));
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = target.hurried() => {}
    }
}
