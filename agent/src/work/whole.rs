//! What is asked of Docker as a whole: the list of all containers, its networks, the images that are left over. All of it is
//! asked for now and then, whatever events say, and again soon when there was no answer.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use model::{ContainerName, Subnet, Timestamp};

use super::{Input, Work};
use crate::docker::{About, Hands, Listed, Networks, Unready};
use crate::host;
use crate::known::Life;
use crate::tended::Tended;
use crate::trouble::DockerError;

/// How often images that are left over are looked for.
pub(super) const SWEEP: Duration = Duration::from_mins(10);
const SOON: Duration = Duration::from_secs(2);
const LONGEST_PAUSE: Duration = Duration::from_secs(15);
/// How long an agent that ends may take to tidy up.
const LEAVE: Duration = Duration::from_secs(12);

/// Whether something is asked for again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Asking {
    /// Not before this.
    Due(Timestamp),
    /// Somebody asks.
    UnderWay,
    /// Somebody asks, but has begun before what happened since.
    UnderWayAndDue,
    /// Not before the next review.
    Done,
}

/// The instance's network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Bridge {
    /// The subnet that it has, once it is there.
    pub(super) ready: Option<Subnet>,
    /// Whether somebody makes it.
    pub(super) asking: Asking,
    /// Why it is not there.
    pub(super) trouble: Option<String>,
    failures: u32,
}

impl Asking {
    fn is_due(self, now: Timestamp) -> bool {
        matches!(self, Self::Due(at) if at <= now)
    }

    /// What is being asked may be old already.
    fn again(&mut self, now: Timestamp) {
        *self = match *self {
            Self::UnderWay | Self::UnderWayAndDue => Self::UnderWayAndDue,
            Self::Due(_) | Self::Done => Self::Due(now),
        };
    }

    /// There was an answer.
    fn ended(&mut self, now: Timestamp) {
        *self = if *self == Self::UnderWayAndDue { Self::Due(now) } else { Self::Done };
    }
}

impl Bridge {
    /// Before anybody has looked.
    pub(super) fn new(now: Timestamp) -> Self {
        Self { ready: None, asking: Asking::Due(now), trouble: None, failures: 0 }
    }
}

impl Work {
    pub(super) fn take_list(&mut self, listed: Result<Vec<Listed>, DockerError>, now: Timestamp) {
        let listed = match listed {
            Ok(listed) => listed,
            Err(error) => {
                tracing::warn!("cannot list the containers: {error}");
                self.list = Asking::Due(now.plus(SOON));
                return;
            }
        };
        self.list.ended(now);
        self.is_listed = true;
        let mut strays = BTreeSet::new();
        let mut shown = BTreeMap::new();
        for one in &listed {
            if self.tasks.contains_key(&one.task) {
                shown.insert((one.task, &one.container), one);
            } else if !self.forgotten.contains(&one.task) {
                strays.insert(one.task);
            }
        }
        self.strays = strays;
        for (id, tended) in &mut self.tasks {
            let differing: Vec<ContainerName> = tended
                .known
                .containers
                .iter()
                .filter(|(name, container)| {
                    let shown = shown.get(&(*id, *name));
                    let is_running = matches!(container.life, Life::Running { .. });
                    container.life.id() != shown.map(|one| one.id.as_str())
                        || shown.is_some_and(|one| one.is_running != is_running)
                })
                .map(|(name, _)| name.clone())
                .collect();
            for name in &differing {
                tended.look_at(name);
            }
        }
    }

    pub(super) fn take_bridge(
        &mut self,
        subnet: Subnet,
        made: Result<(), Unready>,
        now: Timestamp,
    ) {
        match made {
            Ok(()) => {
                self.bridge = Bridge {
                    ready: Some(subnet),
                    asking: Asking::Done,
                    trouble: None,
                    failures: 0,
                };
            }
            Err(error) => {
                let trouble = error.to_string();
                if self.bridge.trouble.as_ref() != Some(&trouble) {
                    tracing::warn!("{trouble}");
                }
                let pause = SOON * (1 << self.bridge.failures.min(8));
                self.bridge = Bridge {
                    ready: None,
                    asking: Asking::Due(now.plus(pause.min(LONGEST_PAUSE))),
                    trouble: Some(trouble),
                    failures: self.bridge.failures + 1,
                };
                // The server must know what is in the way.
                self.ask_for_facts(now);
            }
        }
    }

    pub(super) fn take_facts(
        &mut self,
        facts: Result<(About, Networks), DockerError>,
        now: Timestamp,
    ) {
        match facts {
            Ok((about, networks)) => {
                self.facts.ended(now);
                let used = host::used_subnets(&networks, Some(self.hands.owner.instance));
                let hello = self.host.hello(&about, used);
                self.hello.send_if_modified(|known| {
                    let is_new = *known != hello;
                    *known = hello;
                    is_new
                });
            }
            Err(error) => {
                tracing::warn!("cannot ask Docker for its networks: {error}");
                self.facts = Asking::Due(now.plus(SOON));
            }
        }
    }

    pub(super) fn ask_for_list(&mut self, now: Timestamp) {
        self.list.again(now);
    }

    fn ask_for_facts(&mut self, now: Timestamp) {
        self.facts.again(now);
    }

    /// Looks at all again, also where a clock that was set has put that off.
    pub(super) fn review(&mut self, now: Timestamp) {
        self.list.again(now);
        self.facts.again(now);
        if matches!(self.bridge.asking, Asking::Due(_)) {
            self.bridge.asking = Asking::Due(now);
        }
    }

    pub(super) fn begin_asking(&mut self, now: Timestamp) {
        let Hands { engine, owner, mirror, .. } = self.hands.clone();
        if self.list.is_due(now) {
            (self.list, self.forgotten) = (Asking::UnderWay, BTreeSet::new());
            let engine = engine.clone();
            self.jobs.spawn(async move { Input::List(engine.list(&owner).await) });
        }
        if self.facts.is_due(now) {
            self.facts = Asking::UnderWay;
            let engine = engine.clone();
            self.jobs.spawn(async move {
                let facts = async { Ok((engine.about().await?, engine.networks().await?)) };
                Input::Facts(facts.await)
            });
        }
        if self.sweep.is_due(now) {
            self.sweep = Asking::UnderWay;
            let engine = engine.clone();
            self.jobs.spawn(async move { Input::Pulled(engine.pulled(&mirror).await) });
        }
        if let Some(subnet) = self.view.subnet
            && self.bridge.ready != Some(subnet)
            && (self.bridge.asking.is_due(now) || self.bridge.asking == Asking::Done)
        {
            self.bridge.asking = Asking::UnderWay;
            self.jobs.spawn(async move {
                Input::Bridge(subnet, engine.ensure_network(&owner, subnet).await)
            });
        }
    }

    /// When something is asked for that is not yet.
    pub(super) fn asks_at(&self, now: Timestamp) -> impl Iterator<Item = Timestamp> + use<> {
        let all = [self.list, self.facts, self.sweep, self.bridge.asking];
        all.into_iter().filter_map(move |asking| match asking {
            Asking::Due(at) if now < at => Some(at),
            Asking::Due(_) | Asking::UnderWay | Asking::UnderWayAndDue | Asking::Done => None,
        })
    }

    pub(super) fn take_pulled(&mut self, pulled: Result<Vec<String>, DockerError>, now: Timestamp) {
        self.sweep = Asking::Due(now.plus(SWEEP));
        let Ok(pulled) = pulled else { return };
        let needed = self.needed();
        for name in self.idle.sweep(&pulled, &needed, now) {
            let engine = self.hands.engine.clone();
            self.jobs.spawn(async move {
                engine.forget_image(&name).await;
                Input::Nothing
            });
        }
    }

    /// The names of the images of all tasks.
    fn needed(&self) -> BTreeSet<String> {
        let containers = self.view.tasks.iter().flat_map(|task| &task.containers);
        containers.map(|container| self.hands.mirror.name(&container.image)).collect()
    }

    /// Ends. An instance on which nothing is left leaves nothing behind in Docker either: Docker says whether that is so, not
    /// what was last heard of it.
    pub(super) async fn leave(mut self) {
        if self.tasks.values().any(Tended::is_waking) {
            return;
        }
        let tidying = async {
            let left = self.hands.engine.list(&self.hands.owner).await;
            if !left.is_ok_and(|left| left.is_empty()) {
                return;
            }
            // What is being made can only be removed when it is there.
            while matches!(self.bridge.asking, Asking::UnderWay | Asking::UnderWayAndDue)
                && let Some(ended) = self.jobs.join_next().await
            {
                if let Ok(Input::Bridge(..)) = ended {
                    self.bridge.asking = Asking::Done;
                }
            }
            let Hands { engine, owner, mirror, .. } = &self.hands;
            engine.remove_network(owner).await;
            for name in engine.pulled(mirror).await.unwrap_or_default() {
                engine.forget_image(&name).await;
            }
        };
        if tokio::time::timeout(LEAVE, tidying).await.is_err() {
            tracing::warn!("Docker is too slow; the instance's network and images may be left");
        }
    }
}
