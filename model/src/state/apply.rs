//! How a Change becomes State.

use super::{Index, State, Touched};
use crate::change::{Change, Refusal};
use crate::service::Service;
use crate::task::Task;
use crate::time::Timestamp;

impl State {
    /// Applies one Change, decided at `at`. Pure: the same State, Change and time give the same result. A Change that is
    /// refused has changed nothing; one that is known already touches nothing.
    pub fn apply(&mut self, change: &Change, at: Timestamp) -> Result<Touched, Refusal> {
        let _ = (change, at);
        Err(Refusal::Invalid("not yet".to_owned()))
    }
}

impl Index {
    pub(super) fn add_service(&mut self, service: &Service) {
        let key = (service.cluster.clone(), service.name.clone());
        self.service_names.insert_mut(key, service.id);
    }

    pub(super) fn add_task(&mut self, task: &Task) {
        if let Some(service) = task.service {
            let tasks = self.service_tasks.get(&service).cloned().unwrap_or_default();
            self.service_tasks.insert_mut(service, tasks.insert(task.id));
        }
        if let Some(instance) = task.instance() {
            let tasks = self.instance_tasks.get(&instance).cloned().unwrap_or_default();
            self.instance_tasks.insert_mut(instance, tasks.insert(task.id));
        }
    }
}
