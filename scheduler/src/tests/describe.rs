//! Changes as text, by their values: a test compares what is decided, and no sentence.

use model::*;

use super::world::World;

impl World {
    fn name(&mut self, kind: &str, id: &str) -> String {
        let next = self.names.values().filter(|name| name.starts_with(kind)).count() + 1;
        self.names.entry(id.to_owned()).or_insert_with(|| format!("{kind}{next}")).clone()
    }

    fn task_name(&mut self, id: TaskId) -> String {
        self.name("task", &id.to_string())
    }

    pub(super) fn deployment_name(&mut self, id: DeploymentId) -> String {
        self.name("deployment", &id.to_string())
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "other changes are not the scheduler's")]
    pub(super) fn describe(&mut self, change: &Change) -> String {
        let text = match change {
            Change::Task(TaskChange::Create(task)) => {
                let place = task.placement.clone().unwrap();
                let name = self.task_name(task.id);
                let image = self.name("image", &task.images[0].1.digest.to_string());
                format!(
                    "create {name} of {image} on {}",
                    self.name("i", &place.instance.to_string())
                )
            }
            Change::Task(TaskChange::Place { task, placement }) => {
                let name = self.task_name(*task);
                format!("place {name} on {}", self.name("i", &placement.instance.to_string()))
            }
            Change::Task(TaskChange::Stop { task, stopped }) => {
                format!("stop {} ({})", self.task_name(*task), cause(stopped))
            }
            Change::Task(TaskChange::Fail { task, stopped }) => {
                format!("fail {} ({})", self.task_name(*task), cause(stopped))
            }
            Change::Task(TaskChange::Drained(id)) => format!("{} is drained", self.task_name(*id)),
            Change::Task(TaskChange::Healthy(id)) => format!("{} is healthy", self.task_name(*id)),
            Change::Task(TaskChange::Forget(id)) => format!("forget {}", self.task_name(*id)),
            Change::Deployment(DeploymentChange::Start(deployment)) => {
                let name = self.deployment_name(deployment.id);
                let revision = match &deployment.revision {
                    RolledOut::New(revision) => revision,
                    RolledOut::Known(id) => self.state.service_revision(*id).unwrap(),
                };
                let image = revision.images.values().next().unwrap().digest.to_string();
                let image = self.name("image", &image);
                match deployment.cause.rollback_of() {
                    Some(failed) => {
                        let failed = self.deployment_name(failed);
                        format!("start {name} of {image}, back from {failed}")
                    }
                    None => format!("start {name} of {image}"),
                }
            }
            Change::Deployment(DeploymentChange::Bake { deployment, until: _ }) => {
                format!("bake {}", self.deployment_name(*deployment))
            }
            Change::Deployment(DeploymentChange::Complete(id)) => {
                format!("complete {}", self.deployment_name(*id))
            }
            Change::Deployment(DeploymentChange::Fail { deployment, failure }) => {
                let name = self.deployment_name(*deployment);
                let DeploymentFailure::TasksFailed { count, last, unproven_settings } = failure
                else {
                    panic!("the scheduler gives up for no other reason: {failure:?}");
                };
                let last = last.as_ref().map(cause).unwrap_or_default();
                let built_on = unproven_settings.map(|number| format!(", on unproven {number}"));
                let built_on = built_on.unwrap_or_default();
                format!("fail {name}: {count} tasks failed, the last one: {last}{built_on}")
            }
            Change::Service(ServiceChange::SetPlacementFailure {
                failure: Some(failure), ..
            }) => format!("say: {}", placement(failure)),
            Change::Service(ServiceChange::SetPlacementFailure { failure: None, .. }) => {
                "say: all is placed".to_owned()
            }
            Change::Service(ServiceChange::NoteTried { .. }) => "note what was tried".to_owned(),
            Change::Service(ServiceChange::Remove(_)) => "remove the service".to_owned(),
            other => format!("{other:?}"),
        };
        self.names.iter().fold(text, |text, (id, name)| text.replace(id.as_str(), name))
    }
}

fn cause(stopped: &Stopped) -> String {
    stopped.cause.map_or_else(String::new, |cause| format!("{cause:?}"))
}

fn placement(failure: &PlacementFailure) -> String {
    match failure {
        PlacementFailure::ImageNotPushed { image } => format!("ImageNotPushed {image}"),
        PlacementFailure::NoInstanceFits { instances, .. } => {
            let parts: Vec<_> = instances.iter().map(filtered).collect();
            format!("NoInstanceFits [{}]", parts.join(", "))
        }
        PlacementFailure::NoLegalStep { desired, minimum, maximum, .. } => {
            format!("NoLegalStep of {desired} from {minimum} to {maximum}")
        }
        PlacementFailure::HealthUnknown => "HealthUnknown".to_owned(),
        PlacementFailure::Sentence(sentence) => panic!("an old sentence: {sentence}"),
    }
}

fn filtered(instances: &FilteredInstances) -> String {
    let FilteredInstances { count, reason } = instances;
    match reason {
        FilterReason::InsufficientResources { shortfalls } => {
            let lack = |short: &Shortfall| {
                let Shortfall { dimension, needed, free } = short;
                format!("{dimension} {free} of {needed}")
            };
            let lacks: Vec<_> = shortfalls.iter().map(lack).collect();
            format!("{count} InsufficientResources ({})", lacks.join(", "))
        }
        FilterReason::Platform { image, instance } => {
            let image: Vec<_> = image.iter().map(ToString::to_string).collect();
            format!("{count} Platform ({} on {instance})", image.join(", "))
        }
        FilterReason::PortTaken { port, protocol } => {
            format!("{count} PortTaken {port}/{protocol}")
        }
        FilterReason::NoAddress
        | FilterReason::NoPort
        | FilterReason::UsedUp
        | FilterReason::NoSubnet
        | FilterReason::Draining
        | FilterReason::Suspended
        | FilterReason::NotConnected => format!("{count} {reason:?}"),
    }
}
