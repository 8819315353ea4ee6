//! All that a router serves from: the table of rules with the target groups that they forward to.
//!
//! Both are swapped as one, so that a rule never forwards to a group of another view. Groups outlive tables by their id,
//! and targets by group and task, so a new view disturbs no request. Removed targets are tracked until they have nothing
//! in flight.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use link::message::SeenTarget;
use model::{HostIdentity, RouterView, Rule, TargetGroupId};
use tokio::sync::Notify;

use crate::group::Group;
use crate::health_state::HealthState;
use crate::table::Table;
use crate::target::Target;

/// All that a router serves from.
#[derive(Debug)]
pub(crate) struct Routes {
    serving: ArcSwap<Serving>,
    /// Targets that are no longer in the table.
    removed: Mutex<Vec<Arc<Target>>>,
    here: HostIdentity,
    changed: Arc<Notify>,
}

/// The table with its groups.
#[derive(Debug, Default)]
pub(crate) struct Serving {
    /// None before the first view.
    table: Option<Table>,
    groups: HashMap<TargetGroupId, Arc<Group>>,
}

/// A target that is new to this router, with its group; its checks have to be started.
pub(crate) type NewTarget = (Arc<Group>, Arc<Target>);

impl Serving {
    /// Whether there is a table at all.
    pub(crate) fn is_known(&self) -> bool {
        self.table.is_some()
    }

    /// The rule for a request.
    pub(crate) fn find(&self, host: &str, path: &str) -> Option<&Rule> {
        self.table.as_ref()?.find(host, path)
    }

    /// A group.
    pub(crate) fn group(&self, id: TargetGroupId) -> Option<&Arc<Group>> {
        self.groups.get(&id)
    }
}

impl Routes {
    /// Without a table, for a router on the host `here`.
    pub(crate) fn new(here: HostIdentity) -> Self {
        Self {
            serving: ArcSwap::default(),
            removed: Mutex::default(),
            here,
            changed: Arc::new(Notify::new()),
        }
    }

    /// What is served now.
    pub(crate) fn serving(&self) -> Guard<Arc<Serving>> {
        self.serving.load()
    }

    /// Notified when there is something new to report.
    pub(crate) fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    /// Serves from a view from now on; returns the targets that are new. One caller at a time.
    pub(crate) fn apply(&self, view: &RouterView, health_state: &HealthState) -> Vec<NewTarget> {
        let before = self.serving.load_full();
        let mut fresh = Vec::new();
        let mut groups = HashMap::with_capacity(view.target_groups.len());
        for (seen, targets) in view.groups() {
            let group = before.group(seen.id).map(Arc::clone);
            let group =
                group.unwrap_or_else(|| Arc::new(Group::new(seen, Arc::clone(&self.changed))));
            let (new, removed) = group.update(seen, &targets, &self.here, health_state);
            fresh.extend(new.into_iter().map(|target| (Arc::clone(&group), target)));
            self.track_removed(&removed);
            groups.insert(seen.id, group);
        }
        let gone = before.groups.iter().filter(|(id, _)| !groups.contains_key(id));
        let gone: Vec<_> = gone.map(|(_, group)| Arc::clone(group)).collect();
        let table = Some(Table::compile(view));
        self.serving.store(Arc::new(Serving { table, groups }));
        for group in gone {
            self.track_removed(&group.remove());
        }
        fresh
    }

    fn track_removed(&self, targets: &[Arc<Target>]) {
        self.removed.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(targets);
    }

    /// The table on disk agrees with the one that is served.
    pub(crate) fn persisted(&self) {
        for group in self.serving().groups.values() {
            for target in group.targets().iter() {
                target.persisted();
            }
        }
        let removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        for target in removed.iter() {
            target.persisted();
        }
    }

    /// What is reported of all targets, those included that were removed and still have something in flight.
    pub(crate) fn seen(&self) -> Vec<SeenTarget> {
        let serving = self.serving();
        let mut seen = Vec::new();
        for group in serving.groups.values() {
            seen.extend(group.targets().iter().map(|target| target.seen()));
        }
        let mut removed = self.removed.lock().unwrap_or_else(PoisonError::into_inner);
        removed.retain(|target| target.in_flight() > 0);
        for target in removed.iter() {
            let target = target.seen();
            let key = |seen: &SeenTarget| (seen.target_group, seen.task);
            if !seen.iter().any(|known| key(known) == key(&target)) {
                seen.push(target);
            }
        }
        drop(removed);
        seen.sort_by_key(|seen| (seen.target_group, seen.task));
        seen
    }
}
