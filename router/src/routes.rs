//! All that a router serves from: the table of rules with the target groups that they lead to.
//!
//! Both are read as one, so that a rule never leads to a group of another view. Groups outlive the table by their id, and
//! targets by group and task, so a new view disturbs no request. What has left is remembered until nothing is in flight
//! there any more.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use arc_swap::{ArcSwap, Guard};
use link::message::SeenTarget;
use model::{HealthCheck, HostIdentity, RouterView, Rule, TargetGroupId};
use tokio::sync::Notify;

use crate::group::Group;
use crate::standing::Standing;
use crate::table::Table;
use crate::target::Target;

/// All that a router serves from.
#[derive(Debug)]
pub(crate) struct Routes {
    serving: ArcSwap<Serving>,
    left: Mutex<Vec<Arc<Target>>>,
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

/// A target that is new here, with its group: it wants to be checked.
pub(crate) type Fresh = (Arc<Group>, Arc<Target>);

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
    /// Nothing yet, for a router on the host `here`.
    pub(crate) fn new(here: HostIdentity) -> Self {
        Self {
            serving: ArcSwap::default(),
            left: Mutex::default(),
            here,
            changed: Arc::new(Notify::new()),
        }
    }

    /// What is served now.
    pub(crate) fn serving(&self) -> Guard<Arc<Serving>> {
        self.serving.load()
    }

    /// Wakes whoever reports.
    pub(crate) fn changed(&self) -> &Arc<Notify> {
        &self.changed
    }

    /// Serves from a view from now on. Only one caller at a time.
    pub(crate) fn apply(&self, view: &RouterView, standing: &Standing) -> Vec<Fresh> {
        let before = self.serving.load_full();
        let mut fresh = Vec::new();
        let mut groups = HashMap::with_capacity(view.target_groups.len());
        for seen in &view.target_groups {
            let group = before.group(seen.id).map(Arc::clone);
            let group =
                group.unwrap_or_else(|| Arc::new(Group::new(seen, Arc::clone(&self.changed))));
            let (new, left) = group.update(seen, &self.here, standing);
            fresh.extend(new.into_iter().map(|target| (Arc::clone(&group), target)));
            self.remember(&left);
            groups.insert(seen.id, group);
        }
        let gone = before.groups.iter().filter(|(id, _)| !groups.contains_key(id));
        let gone: Vec<_> = gone.map(|(_, group)| Arc::clone(group)).collect();
        let table = Some(Table::compile(view));
        self.serving.store(Arc::new(Serving { table, groups }));
        for group in gone {
            self.remember(&group.leave());
        }
        fresh
    }

    fn remember(&self, left: &[Arc<Target>]) {
        self.left.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(left);
    }

    /// The copy on disk agrees with what is served.
    pub(crate) fn kept(&self) {
        for group in self.serving().groups.values() {
            for target in group.targets().iter() {
                target.kept();
            }
        }
        let left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        for target in left.iter() {
            target.kept();
        }
    }

    /// What the control plane is told of all targets, those that have left included while something is in flight there.
    pub(crate) fn seen(&self) -> Vec<SeenTarget> {
        let serving = self.serving();
        let mut seen = Vec::new();
        for group in serving.groups.values() {
            let check = group.check();
            seen.extend(group.targets().iter().map(|target| target.seen(&check)));
        }
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        left.retain(|target| target.in_flight() > 0);
        let check = HealthCheck::default();
        for target in left.iter() {
            let target = target.seen(&check);
            let key = |seen: &SeenTarget| (seen.target_group, seen.task);
            if !seen.iter().any(|known| key(known) == key(&target)) {
                seen.push(target);
            }
        }
        drop(left);
        seen.sort_by_key(|seen| (seen.target_group, seen.task));
        seen
    }
}
