//! What is said of a task when it is made.

use serde::{Deserialize, Serialize};

use super::{DesiredStatus, Overrides, Placement, Task, TaskContainer, TaskStatus};
use crate::definition::Revision;
use crate::id::{DeploymentId, ServiceId, TaskId};
use crate::image::PinnedImage;
use crate::name::{ClusterName, ContainerName};
use crate::resources::Resources;
use crate::time::Timestamp;

/// A task to be made. Everything else about a task follows from what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// What it is a copy of.
    pub task_definition: Revision,
    /// The service that keeps it and the deployment that starts it, unless it is run by itself.
    pub service: Option<(ServiceId, DeploymentId)>,
    /// Who starts it: a deployment, or a person.
    pub started_by: String,
    /// What it changes in its definition.
    pub overrides: Overrides,
    /// What it reserves on its instance until it has stopped.
    pub resources: Resources,
    /// Where it runs. None: the scheduler places it.
    pub placement: Option<Placement>,
    /// The image of each container, in the order of the definition.
    pub images: Vec<(ContainerName, PinnedImage)>,
    /// When it is made.
    pub created_at: Timestamp,
}

impl NewTask {
    /// A task that waits for an instance; it has no container yet and reserves nothing.
    pub fn new(
        id: TaskId,
        cluster: ClusterName,
        task_definition: Revision,
        created_at: Timestamp,
    ) -> Self {
        Self {
            id,
            cluster,
            task_definition,
            service: None,
            started_by: String::new(),
            overrides: Overrides::default(),
            resources: Resources::default(),
            placement: None,
            images: Vec::new(),
            created_at,
        }
    }
}

impl From<NewTask> for Task {
    fn from(new: NewTask) -> Self {
        let container = |(name, image)| TaskContainer::new(name, image);
        Self {
            id: new.id,
            cluster: new.cluster,
            task_definition: new.task_definition,
            service: new.service.map(|(service, _)| service),
            deployment: new.service.map(|(_, deployment)| deployment),
            started_by: new.started_by,
            overrides: new.overrides,
            resources: new.resources,
            last_status: match &new.placement {
                Some(_) => TaskStatus::Pending,
                None => TaskStatus::Provisioning,
            },
            placement: new.placement,
            containers: new.images.into_iter().map(container).collect(),
            desired_status: DesiredStatus::Running,
            stopped: None,
            created_at: new.created_at,
            started_at: None,
            healthy_at: None,
            stopping_at: None,
            stopped_at: None,
            deactivated_at: None,
            unrouted_at: None,
            reaped: false,
        }
    }
}
