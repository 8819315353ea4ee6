//! Ownership of objects in Docker. Everything that an agent creates has the ids of installation and instance as labels and a
//! name that follows from the task, so that it is found again without any file, and other objects are never changed.

use std::collections::HashMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};

use model::{AssignedTask, ContainerName, InstallationId, InstanceId, TaskId};

const INSTALLATION: &str = "berth.installation";
const INSTANCE: &str = "berth.instance";
const TASK: &str = "berth.task";
const CONTAINER: &str = "berth.container";
const SERVICE: &str = "berth.service";
const CLUSTER: &str = "berth.cluster";
const DEFINITION: &str = "berth.task-definition";
/// On a network: the file that the agent which made it holds locked while it runs.
const LOCK: &str = "berth.lock";

/// Labels as Docker has them.
pub(crate) type Labels = HashMap<String, String>;

/// The installation and instance that own containers and network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Owner {
    /// The installation.
    pub(crate) installation: InstallationId,
    /// The instance.
    pub(crate) instance: InstanceId,
}

impl Owner {
    /// The name of the instance's network.
    pub(crate) fn network(&self) -> String {
        format!("berth-{}-{}", short(self.installation), short(self.instance))
    }

    /// The name of a task's container.
    pub(crate) fn container(&self, task: TaskId, container: &ContainerName) -> String {
        format!("berth-{}-{task}-{container}", short(self.installation))
    }

    /// The labels of the instance's network.
    pub(crate) fn labels(&self) -> Labels {
        let labels =
            [(INSTALLATION, self.installation.to_string()), (INSTANCE, self.instance.to_string())];
        labels.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()
    }

    /// The same with the lock of its agent, which says whether the network is in use.
    pub(crate) fn network_labels(&self, lock: &Path) -> Labels {
        let mut labels = self.labels();
        labels.insert(LOCK.to_owned(), lock.display().to_string());
        labels
    }

    /// The owner of a network and the lock of its agent, by these labels.
    pub(crate) fn of_network(labels: &Labels) -> Option<(Self, PathBuf)> {
        let installation = labels.get(INSTALLATION)?.parse().ok()?;
        let instance = labels.get(INSTANCE)?.parse().ok()?;
        Some((Self { installation, instance }, labels.get(LOCK)?.into()))
    }

    /// The labels of a task's container: its identity, and for people its cluster, service and task definition.
    pub(crate) fn container_labels(
        &self,
        task: &AssignedTask,
        container: &ContainerName,
    ) -> Labels {
        let mut labels = self.labels();
        let mut add = |name: &str, value: String| labels.insert(name.to_owned(), value);
        add(TASK, task.id.to_string());
        add(CONTAINER, container.to_string());
        add(CLUSTER, task.cluster.to_string());
        add(DEFINITION, task.task_definition.to_string());
        if let Some(service) = &task.service {
            add(SERVICE, service.to_string());
        }
        labels
    }

    /// Filters of Docker's lists for the instance's containers or networks.
    pub(crate) fn filters(&self) -> HashMap<String, Vec<String>> {
        let labels = self.labels().into_iter().map(|(name, value)| format!("{name}={value}"));
        HashMap::from([("label".to_owned(), labels.collect())])
    }

    /// Whether these labels belong to an object of the instance.
    pub(crate) fn has(&self, labels: &Labels) -> bool {
        self.labels().iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// The task and container that these labels belong to.
    pub(crate) fn claims(&self, labels: &Labels) -> Option<(TaskId, ContainerName)> {
        if !self.has(labels) {
            return None;
        }
        Some((labels.get(TASK)?.parse().ok()?, labels.get(CONTAINER)?.parse().ok()?))
    }
}

/// Whether these labels belong to an object of any installation.
pub(crate) fn is_berths(labels: &Labels) -> bool {
    labels.contains_key(INSTALLATION) && labels.contains_key(INSTANCE)
}

/// Whether these labels belong to an object of that instance.
pub(crate) fn is_of(labels: &Labels, instance: InstanceId) -> bool {
    is_berths(labels) && labels.get(INSTANCE).is_some_and(|id| *id == instance.to_string())
}

/// The random end of an id; its beginning is a time, which two installations may have in common.
fn short(id: impl Display) -> String {
    id.to_string().split_off(24)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::{self, owner};

    #[test]
    fn a_container_is_found_again_by_its_labels() {
        let task = tests::task();
        let name = &task.containers[0].name;
        let labels = owner().container_labels(&task, name);
        assert_eq!(owner().claims(&labels), Some((task.id, name.clone())));
        assert!(owner().has(&labels) && is_berths(&labels));
    }

    #[test]
    fn what_another_instance_or_installation_has_made_is_not_claimed() {
        let task = tests::task();
        let name = &task.containers[0].name;
        let other = InstanceId::new(model::Timestamp::EPOCH, [9; 10]);
        let labels = Owner { instance: other, ..owner() }.container_labels(&task, name);
        assert_eq!(owner().claims(&labels), None);
        let other = InstallationId::new(model::Timestamp::EPOCH, [9; 10]);
        let labels = Owner { installation: other, ..owner() }.container_labels(&task, name);
        assert_eq!(owner().claims(&labels), None);
        assert_eq!(owner().claims(&Labels::new()), None);
    }

    #[test]
    fn names_follow_from_the_ids() {
        let task = tests::task();
        assert_eq!(owner().network(), "berth-01010101-02020202");
        assert_eq!(
            owner().container(task.id, &task.containers[0].name),
            format!("berth-01010101-{}-main", task.id)
        );
    }
}
