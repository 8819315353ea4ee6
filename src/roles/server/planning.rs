//! The thin loop around the scheduler: wake, plan, submit. It plans only on a state that holds what it created before, so
//! nothing is created twice.
//!
//! The batches of a plan go to the store together, and share its syncs. A Change that is refused means that another writer
//! was faster: it is logged, and what it is about is planned again after a pause that grows while refusals of it go on; the
//! rest goes on meanwhile. If the loop itself did not run for a while (a host that slept, a clock that jumped), it takes
//! every lease as full again: that silence was its own. What a round took is no such silence.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use model::{
    Backoff, Change, Clock, CommitError, DeploymentChange, DeploymentId, Observed, State,
    StateRevision, TaskChange, TaskId, Timestamp,
};
use scheduler::{Plan, Settings, plan};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_util::sync::CancellationToken;

mod refused;

use refused::RefusedItems;

/// Between two plans at least: what comes in a burst is planned once.
const SPACING: Duration = Duration::from_millis(20);
/// The pauses after failures of the store in a row.
const FAILURES: Backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(5));
/// How long the watch may lag behind an answered commit.
const LAG: Duration = Duration::from_secs(2);
/// How much later than its tick the loop may come round before it distrusts its own clock.
const STALL: Duration = Duration::from_secs(10);

/// Plans whenever something changed or a deadline is over, until `shutdown`. `submit` commits one batch and answers once
/// it is durable; the caller stamps the time.
pub(crate) async fn run<S, F>(
    state: watch::Receiver<State>,
    observed: watch::Receiver<Observed>,
    submit: S,
    clock: Arc<dyn Clock>,
    settings: Settings,
    shutdown: CancellationToken,
) where
    S: Fn(Vec<Change>) -> F + Send + Sync,
    F: Future<Output = Result<(), CommitError>> + Send,
{
    let mut planning = Planning {
        ended_at: clock.now(),
        awake_since: Timestamp::EPOCH,
        backoff: FAILURES,
        refused: RefusedItems::default(),
        state,
        observed,
        clock,
        settings,
    };
    let work = async {
        while let Some(wait) = planning.round(&submit).await {
            planning.ended_at = planning.clock.now();
            if !planning.changed(wait).await {
                return;
            }
        }
    };
    tokio::select! {
        () = shutdown.cancelled() => {}
        () = work => {}
    }
}

struct Planning {
    state: watch::Receiver<State>,
    observed: watch::Receiver<Observed>,
    clock: Arc<dyn Clock>,
    settings: Settings,
    /// When the last round ended.
    ended_at: Timestamp,
    /// Since when the loop comes round in time: silence before that was its own.
    awake_since: Timestamp,
    backoff: Backoff,
    refused: RefusedItems,
}

impl Planning {
    /// Plans and submits once; how long to wait unless something changes. None when the state is gone.
    async fn round<S, F>(&mut self, submit: &S) -> Option<Duration>
    where
        S: Fn(Vec<Change>) -> F,
        F: Future<Output = Result<(), CommitError>>,
    {
        let state = self.state.borrow_and_update().clone();
        let mut observed = self.observed.borrow_and_update().clone();
        let now = self.clock.now();
        if now.since(self.ended_at) > self.settings.tick + STALL {
            tracing::warn!("the scheduler did not run for a while; it takes every lease as full");
            self.awake_since = now;
        }
        observed.since = observed.since.max(self.awake_since);
        let Plan { mut batches, wake_at } =
            plan(&state, &observed, now, &self.settings, rand::random());
        let refused_until = self.refused.hold_back(&state, &mut batches, now);
        if batches.is_empty() {
            let due = wake_at.into_iter().chain(refused_until).min();
            let due = due.map_or(self.settings.tick, |at| at.since(now));
            return Some(due.min(self.settings.tick));
        }
        self.commit(&state, batches, submit).await?;
        Some(Duration::ZERO)
    }

    /// Submits all batches at once, in their order, and waits until the state holds what they made. What is refused as a
    /// batch is submitted again as the groups that it is made of. None when the state is gone.
    async fn commit<S, F>(
        &mut self,
        state: &State,
        batches: Vec<Vec<Vec<Change>>>,
        submit: &S,
    ) -> Option<()>
    where
        S: Fn(Vec<Change>) -> F,
        F: Future<Output = Result<(), CommitError>>,
    {
        let outcomes = join_all(batches.iter().map(|batch| submit(batch.concat()))).await;
        let (mut created, mut has_done, mut has_failed) = (Vec::new(), false, false);
        for (batch, outcome) in batches.into_iter().zip(outcomes) {
            let outcomes = match &outcome {
                Err(error) if batch.len() > 1 && is_refusal(error) => {
                    join_all(batch.iter().cloned().map(submit)).await
                }
                Ok(()) | Err(_) => vec![outcome; batch.len()],
            };
            for (group, outcome) in batch.iter().zip(outcomes) {
                let Err(error) = outcome else {
                    created.extend(group.iter().filter_map(Created::of));
                    has_done = true;
                    continue;
                };
                report(&error);
                let (now, random) = (self.clock.now(), rand::random());
                has_failed |= !is_refusal(&error) || !self.refused.note(state, group, now, random);
            }
        }
        if has_failed {
            sleep(self.backoff.fail(rand::random())).await;
        } else {
            self.backoff.reset();
        }
        if has_done {
            self.catch_up(state.revision(), &created).await?;
        }
        Some(())
    }

    /// Waits until the state holds what was submitted.
    async fn catch_up(&mut self, planned: StateRevision, created: &[Created]) -> Option<()> {
        let arrived = self.state.wait_for(|state| {
            state.revision() > planned && created.iter().all(|created| created.is_in(state))
        });
        match timeout(LAG, arrived).await {
            Ok(Ok(_)) => Some(()),
            Ok(Err(_)) => None,
            Err(_) => {
                tracing::debug!("what was submitted is not seen yet");
                Some(())
            }
        }
    }

    /// Waits for a change or until `wait` is over. False when nobody can change anything any more.
    async fn changed(&mut self, wait: Duration) -> bool {
        sleep(SPACING).await;
        let woken = tokio::select! {
            changed = self.state.changed() => changed,
            changed = self.observed.changed() => changed,
            () = sleep(wait) => Ok(()),
        };
        woken.is_ok()
    }
}

/// Whether another writer was faster, rather than the store failed.
fn is_refusal(error: &CommitError) -> bool {
    match error {
        CommitError::Refused(_) | CommitError::Unmet(_) | CommitError::GuardFailed { .. } => true,
        CommitError::TooLarge(_) | CommitError::Unavailable(_) => false,
    }
}

/// Says why a batch was not committed. Whatever the reason, the next plan starts from what is true then.
fn report(error: &CommitError) {
    match error {
        CommitError::Refused(_) | CommitError::Unmet(_) | CommitError::GuardFailed { .. } => {
            tracing::info!(%error, "a planned change was refused; planning again");
        }
        CommitError::TooLarge(_) => {
            tracing::error!(%error, "a planned batch was weighed wrong; planning again");
        }
        CommitError::Unavailable(_) => {
            tracing::warn!(%error, "a planned change could not be written; planning again");
        }
    }
}

/// What a Change makes: a later plan must see it, or it would make it again.
enum Created {
    Task(TaskId),
    Deployment(DeploymentId),
}

impl Created {
    fn of(change: &Change) -> Option<Self> {
        if let Change::Task(TaskChange::Create(task)) = change {
            Some(Self::Task(task.id))
        } else if let Change::Deployment(DeploymentChange::Start(deployment)) = change {
            Some(Self::Deployment(deployment.id))
        } else {
            None
        }
    }

    fn is_in(&self, state: &State) -> bool {
        match self {
            Self::Task(id) => state.task(*id).is_some(),
            Self::Deployment(id) => state.deployment(*id).is_some(),
        }
    }
}

#[cfg(test)]
mod tests;
