//! State of the whole host: the list of the instance's containers, Docker's networks, unused images. It is polled at
//! intervals independently of events, and soon again after a failed poll.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{ContainerId, ContainerName, Subnet, TaskId, Timestamp};

use super::poll::{
    IMAGE_GC_INTERVAL, MEASURE_INTERVAL, NETWORK_RETRY, NetworkState, Poll, RETRY_DELAY,
};
use super::{Input, Reconciler};
use crate::docker::{EngineInfo, Executor, Listed, Measured, Networks};
use crate::error::{DockerError, NetworkError};
use crate::host_info;
use crate::task_runner::TaskRunner;
use crate::task_state::ContainerState;

/// How many times as long as measuring what containers have written it rests afterwards.
const REST_PER_WORK: u32 = 20;
/// Time limit for removing network and images when the agent ends.
const CLEANUP_TIMEOUT: Duration = Duration::from_secs(12);

impl Reconciler {
    pub(super) fn take_list(&mut self, listed: Result<Vec<Listed>, DockerError>, now: Timestamp) {
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!("cannot list the containers: {error}");
                self.list = Poll::Due(now.plus(RETRY_DELAY));
                return;
            }
        };
        self.list.answered(now);
        self.is_listed = true;
        let mut orphans = BTreeSet::new();
        let mut shown = BTreeMap::new();
        for one in &listed {
            if self.tasks.contains_key(&one.task) {
                shown.insert((one.task, &one.container), one);
            } else if !self.forgotten.contains(&one.task) {
                orphans.insert(one.task);
            }
        }
        self.orphans = orphans;
        for (id, runner) in &mut self.tasks {
            let differing: Vec<ContainerName> = runner
                .state
                .containers
                .iter()
                .filter(|(name, container)| {
                    let shown = shown.get(&(*id, *name));
                    let is_running = matches!(container.state, ContainerState::Running { .. });
                    container.state.id() != shown.map(|one| &one.id)
                        || shown.is_some_and(|one| one.is_running != is_running)
                })
                .map(|(name, _)| name.clone())
                .collect();
            for name in &differing {
                runner.request_inspect(name);
            }
        }
    }

    pub(super) fn take_network(
        &mut self,
        subnet: Subnet,
        made: Result<(), NetworkError>,
        now: Timestamp,
    ) {
        match made {
            Ok(()) => {
                self.network = NetworkState {
                    ready: Some(subnet),
                    poll: Poll::Idle,
                    error: None,
                    backoff: NETWORK_RETRY,
                };
            }
            Err(error) => {
                let reason = error.to_string();
                if self.network.error.as_ref() != Some(&reason) {
                    tracing::warn!("{reason}");
                }
                let delay = self.network.backoff.fail(rand::random());
                self.network.ready = None;
                self.network.poll = Poll::Due(now.plus(delay));
                self.network.error = Some(reason);
                // The server chooses another subnet by what it learns of the host's networks.
                self.request_facts(now);
            }
        }
    }

    pub(super) fn take_facts(
        &mut self,
        facts: Result<(EngineInfo, Networks), DockerError>,
        now: Timestamp,
    ) {
        match facts {
            Ok((about, networks)) => {
                self.facts.answered(now);
                let used = host_info::used_subnets(&networks, Some(self.executor.owner.instance));
                let hello = self.host.hello(&about, used);
                self.hello.send_if_modified(|known| {
                    let is_new = *known != hello;
                    *known = hello;
                    is_new
                });
            }
            Err(error) => {
                tracing::warn!("cannot ask Docker for its networks: {error}");
                self.facts = Poll::Due(now.plus(RETRY_DELAY));
            }
        }
    }

    pub(super) fn request_list(&mut self, now: Timestamp) {
        self.list.request(now);
    }

    fn request_facts(&mut self, now: Timestamp) {
        self.facts.request(now);
    }

    /// Polls everything, also what a clock that was set back would have put off.
    pub(super) fn resync(&mut self, now: Timestamp) {
        self.list.request(now);
        self.facts.request(now);
        if matches!(self.network.poll, Poll::Due(_)) {
            self.network.poll = Poll::Due(now);
        }
    }

    pub(super) fn start_polls(&mut self, now: Timestamp) {
        let Executor { engine, owner, mirror, .. } = self.executor.clone();
        if self.list.is_due(now) {
            (self.list, self.forgotten) = (Poll::InFlight, BTreeSet::new());
            let engine = engine.clone();
            self.jobs.spawn(async move { Input::List(engine.list(&owner).await) });
        }
        if self.facts.is_due(now) {
            self.facts = Poll::InFlight;
            let engine = engine.clone();
            self.jobs.spawn(async move {
                let facts = async { Ok((engine.info().await?, engine.networks().await?)) };
                Input::Facts(facts.await)
            });
        }
        if self.pulled_images.is_due(now) {
            self.pulled_images = Poll::InFlight;
            let engine = engine.clone();
            self.jobs.spawn(async move { Input::Pulled(engine.pulled(&mirror).await) });
        }
        if self.usage.is_due(now) {
            self.usage = Poll::InFlight;
            let (engine, docker_dir, running) =
                (engine.clone(), self.host.docker_dir.clone(), self.running());
            self.jobs
                .spawn(async move { Input::Measured(engine.measure(docker_dir, running).await) });
        }
        if self.written.is_due(now) {
            (self.written, self.written_asked_at) = (Poll::InFlight, now);
            let (engine, running) = (engine.clone(), self.running());
            self.jobs.spawn(async move { Input::Written(engine.written(running).await) });
        }
        if let Some(subnet) = self.subnet()
            && self.network.ready != Some(subnet)
            && (self.network.poll.is_due(now) || self.network.poll == Poll::Idle)
        {
            self.network.poll = Poll::InFlight;
            let lock = self.host.lock.clone();
            self.jobs.spawn(async move {
                engine.remove_abandoned_networks(&owner).await;
                Input::Network(subnet, engine.ensure_network(&owner, subnet, &lock).await)
            });
        }
    }

    /// When polls are due that are not yet.
    pub(super) fn next_poll_at(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let all = [
            self.list,
            self.facts,
            self.pulled_images,
            self.usage,
            self.written,
            self.network.poll,
        ];
        all.into_iter().filter_map(move |poll| match poll {
            Poll::Due(at) if now < at => Some(at),
            Poll::Due(_) | Poll::InFlight | Poll::InFlightAndDue | Poll::Idle => None,
        })
    }

    pub(super) fn take_pulled(&mut self, pulled: Result<Vec<String>, DockerError>, now: Timestamp) {
        self.pulled_images = Poll::Due(now.plus(IMAGE_GC_INTERVAL));
        let Ok(pulled) = pulled else { return };
        let needed = self.needed();
        for name in self.image_gc.collect(&pulled, &needed, now) {
            let engine = self.executor.engine.clone();
            self.jobs.spawn(async move {
                engine.forget_image(&name).await;
                Input::Nothing
            });
        }
    }

    pub(super) fn take_measured(&mut self, measured: Measured, now: Timestamp) {
        self.usage = Poll::Due(now.plus(MEASURE_INTERVAL));
        for (id, used) in &measured.tasks {
            if let Some(runner) = self.tasks.get_mut(id) {
                runner.used_memory(*used);
            }
        }
        for runner in self.tasks.values_mut() {
            for container in runner.state.containers.values_mut() {
                let ContainerState::Running { id, .. } = &container.state else { continue };
                container.hit_process_limit |= measured.at_process_limit.contains(id);
            }
        }
        self.measured = measured;
    }

    /// Ends tasks that have written more than they may.
    pub(super) fn take_written(&mut self, written: &[(TaskId, ContainerId, u64)], now: Timestamp) {
        let limit = self.executor.disk_limit;
        // Where Docker must compare whole images for that, it may take long, and is not to do it all the time.
        let rest = now.since(self.written_asked_at).saturating_mul(REST_PER_WORK);
        self.written = Poll::Due(now.plus(limit.measured_every.max(rest)));
        let most = limit.mebibytes;
        for (task, id, bytes) in written {
            let is_over = *bytes > most.saturating_mul(1 << 20);
            if let Some(runner) = self.tasks.get_mut(task).filter(|_| is_over) {
                runner.state.wrote_too_much(id, *bytes, most);
            }
        }
    }

    fn running(&self) -> Vec<(TaskId, ContainerId)> {
        let running = |(id, runner): (&TaskId, &TaskRunner)| {
            let states = runner.state.containers.values().map(|container| &container.state);
            let running = states.filter_map(|state| {
                let ContainerState::Running { id, .. } = state else { return None };
                Some(id.clone())
            });
            let id = *id;
            running.map(move |container| (id, container)).collect::<Vec<_>>()
        };
        self.tasks.iter().flat_map(running).collect()
    }

    /// The names of the images of all tasks.
    fn needed(&self) -> BTreeSet<String> {
        let containers = self.view.tasks.values().flat_map(|task| &task.containers);
        containers.map(|container| self.executor.mirror.name(&container.image)).collect()
    }

    /// Ends the agent. Where the instance has no container left, its network and its images are removed; Docker is asked for
    /// the containers, since the last list may be old.
    pub(super) async fn shut_down(mut self) {
        if self.tasks.values().any(TaskRunner::is_starting) {
            return;
        }
        let tidying = async {
            self.executor.engine.remove_abandoned_networks(&self.executor.owner).await;
            let left = self.executor.engine.list(&self.executor.owner).await;
            if !left.is_ok_and(|left| left.is_empty()) {
                return;
            }
            // A network that is being created can only be removed afterwards.
            while matches!(self.network.poll, Poll::InFlight | Poll::InFlightAndDue)
                && let Some(ended) = self.jobs.join_next().await
            {
                if let Ok(Input::Network(..)) = ended {
                    self.network.poll = Poll::Idle;
                }
            }
            let Executor { engine, owner, mirror, .. } = &self.executor;
            engine.remove_network(owner).await;
            self.executor.cgroups.tidy();
            for name in engine.pulled(mirror).await.unwrap_or_default() {
                engine.forget_image(&name).await;
            }
        };
        if tokio::time::timeout(CLEANUP_TIMEOUT, tidying).await.is_err() {
            tracing::warn!("Docker is too slow; the instance's network and images may be left");
        }
    }
}
