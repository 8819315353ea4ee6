//! Clusters, instances, routers, and the secrets that let them and people in.

use std::sync::Arc;

use super::{Applied, Write, exists, not_found};
use crate::access::{Credential, JoinToken};
use crate::change::{InstanceReport, Refusal};
use crate::cluster::{Cluster, Instance, InstanceStatus, Router, Subnet};
use crate::id::{CredentialId, InstallationId, InstanceId, JoinTokenId, RouterId};
use crate::state::RowKey;
use crate::task::TaskStatus;

/// Expired join tokens that a new one takes with it.
const EXPIRED_PER_TOKEN: usize = 16;

impl Write<'_> {
    pub(super) fn install(&mut self, id: InstallationId) -> Applied {
        if let Some(known) = self.state.installation {
            return Err(exists("installation", known));
        }
        self.state.installation = Some(id);
        self.touch(RowKey::Installation);
        Ok(())
    }

    pub(super) fn create_cluster(&mut self, cluster: &Cluster) -> Applied {
        if self.state.cluster(&cluster.name).is_some() {
            return Err(exists("cluster", &cluster.name));
        }
        self.state.clusters.insert_mut(cluster.name.clone(), Arc::new(cluster.clone()));
        self.touch(RowKey::Cluster(cluster.name.clone()));
        Ok(())
    }

    pub(super) fn register_instance(&mut self, instance: &Instance) -> Applied {
        if self.state.cluster(&instance.cluster).is_none() {
            return Err(not_found("cluster", &instance.cluster));
        }
        if self.state.instance(instance.id).is_none() {
            self.put_instance(instance.clone());
            return Ok(());
        }
        self.report_instance(&InstanceReport {
            instance: instance.id,
            name: instance.name.clone(),
            capacity: instance.capacity.clone(),
            platform: instance.platform.clone(),
            host: instance.host.clone(),
            advertised_address: instance.advertised_address,
            agent_version: instance.agent_version.clone(),
            docker_version: instance.docker_version.clone(),
        })
    }

    fn known_instance(&self, id: InstanceId) -> Result<Instance, Refusal> {
        self.state.instance(id).cloned().ok_or_else(|| not_found("instance", id))
    }

    pub(super) fn report_instance(&mut self, report: &InstanceReport) -> Applied {
        let known = self.known_instance(report.instance)?;
        let new = Instance {
            name: report.name.clone(),
            capacity: report.capacity.clone(),
            platform: report.platform.clone(),
            host: report.host.clone(),
            advertised_address: report.advertised_address,
            agent_version: report.agent_version.clone(),
            docker_version: report.docker_version.clone(),
            ..known.clone()
        };
        if new != known {
            self.put_instance(new);
        }
        Ok(())
    }

    pub(super) fn assign_subnet(&mut self, id: InstanceId, subnet: Subnet) -> Applied {
        let instance = self.known_instance(id)?;
        if instance.subnet == Some(subnet) {
            return Ok(());
        }
        if let Some(task) = self.state.tasks_on(id).next() {
            return Err(Refusal::InUse {
                kind: "subnet of instance",
                name: id.to_string(),
                by: format!("task `{}`", task.id),
            });
        }
        self.put_instance(Instance { subnet: Some(subnet), last_address: 0, ..instance });
        Ok(())
    }

    pub(super) fn set_instance_status(
        &mut self,
        id: InstanceId,
        status: InstanceStatus,
    ) -> Applied {
        let instance = self.known_instance(id)?;
        if instance.status != status {
            self.put_instance(Instance { status, ..instance });
        }
        Ok(())
    }

    pub(super) fn remove_instance(&mut self, id: InstanceId) -> Applied {
        let instance = self.known_instance(id)?;
        let left = self.state.tasks_on(id).find(|task| task.last_status != TaskStatus::Stopped);
        if let Some(task) = left {
            return Err(Refusal::InUse {
                kind: "instance",
                name: instance.name,
                by: format!("task `{}`", task.id),
            });
        }
        self.state.instances.remove_mut(&id);
        self.touch(RowKey::Instance(id));
        Ok(())
    }

    pub(super) fn register_router(&mut self, router: &Router) {
        let new = match self.state.router(router.id) {
            Some(known) => Router { registered_at: known.registered_at, ..router.clone() },
            None => router.clone(),
        };
        if self.state.router(router.id) != Some(&new) {
            self.state.routers.insert_mut(router.id, Arc::new(new));
            self.touch(RowKey::Router(router.id));
        }
    }

    pub(super) fn remove_router(&mut self, id: RouterId) -> Applied {
        if !self.state.routers.remove_mut(&id) {
            return Err(not_found("router", id));
        }
        self.touch(RowKey::Router(id));
        Ok(())
    }

    pub(super) fn create_credential(&mut self, credential: &Credential) -> Applied {
        let (id, hash) = (credential.id, credential.hash);
        if self.state.credential(id).is_some() || self.state.credential_by_hash(&hash).is_some() {
            return Err(exists("credential", id));
        }
        self.state.index.credential_hashes.insert_mut(hash, id);
        self.state.credentials.insert_mut(id, Arc::new(credential.clone()));
        self.touch(RowKey::Credential(id));
        Ok(())
    }

    pub(super) fn revoke_credential(&mut self, id: CredentialId) -> Applied {
        let known = self.state.credential(id).ok_or_else(|| not_found("credential", id))?;
        let hash = known.hash;
        self.state.index.credential_hashes.remove_mut(&hash);
        self.state.credentials.remove_mut(&id);
        self.touch(RowKey::Credential(id));
        Ok(())
    }

    /// Each new one takes expired ones with it, a few at a time: a batch touches only so many rows.
    pub(super) fn create_join_token(&mut self, token: &JoinToken) -> Applied {
        if self.state.join_token(token.id).is_some() {
            return Err(exists("join token", token.id));
        }
        if self.state.cluster(&token.cluster).is_none() {
            return Err(not_found("cluster", &token.cluster));
        }
        let expired = self.state.join_tokens().filter(|token| token.expires_at <= self.at);
        let expired: Vec<_> = expired.map(|token| token.id).take(EXPIRED_PER_TOKEN).collect();
        for id in expired {
            self.state.join_tokens.remove_mut(&id);
            self.touch(RowKey::JoinToken(id));
        }
        self.state.join_tokens.insert_mut(token.id, Arc::new(token.clone()));
        self.touch(RowKey::JoinToken(token.id));
        Ok(())
    }

    pub(super) fn use_join_token(&mut self, id: JoinTokenId) -> Applied {
        let known = self.state.join_token(id).ok_or_else(|| not_found("join token", id))?;
        if known.expires_at <= self.at {
            return Err(Refusal::JoinTokenOver("expired"));
        }
        let Some(uses_left) = known.uses_left.checked_sub(1) else {
            return Err(Refusal::JoinTokenOver("been used up"));
        };
        let token = JoinToken { uses_left, ..known.clone() };
        self.state.join_tokens.insert_mut(id, Arc::new(token));
        self.touch(RowKey::JoinToken(id));
        Ok(())
    }
}
