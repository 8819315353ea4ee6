//! Clusters, and the instances and routers that join them.

use std::net::IpAddr;

use super::{Applied, Write, exists, not_found};
use crate::change::{ClusterChange, InstanceChange, InstanceReport, RouterChange};
use crate::cluster::{Cluster, Installation, Instance, InstanceStatus, Router, Subnet};
use crate::history::InstanceEventKind;
use crate::id::{InstallationId, InstanceId, RouterId};
use crate::name::ClusterName;
use crate::observed::DiskSeen;
use crate::refusal::{InvalidChange, Refusal, User};
use crate::service::{Deployment, DeploymentStage};
use crate::task::TaskStatus;

impl Write<'_> {
    pub(super) fn cluster(&mut self, change: &ClusterChange) -> Applied {
        match change {
            ClusterChange::Create(cluster) => self.create_cluster(cluster),
        }
    }

    pub(super) fn instance(&mut self, change: &InstanceChange) -> Applied {
        match change {
            InstanceChange::Register(instance) => self.register_instance(instance),
            InstanceChange::Report(report) => self.report_instance(report),
            InstanceChange::AssignSubnet { instance, subnet } => {
                self.assign_subnet(*instance, *subnet)
            }
            InstanceChange::SetStatus { instance, status } => {
                self.set_instance_status(*instance, *status)
            }
            InstanceChange::AllowAddress { instance, address } => {
                self.allow_address(*instance, *address)
            }
            InstanceChange::ReportDisk { instance, disk } => self.report_disk(*instance, *disk),
            InstanceChange::SetSuspended { instance, suspended } => {
                self.set_suspended(*instance, *suspended)
            }
            InstanceChange::Remove(id) => self.remove_instance(*id),
        }
    }

    pub(super) fn router(&mut self, change: &RouterChange) -> Applied {
        match change {
            RouterChange::Register(router) => {
                self.register_router(router);
                Ok(())
            }
            RouterChange::Remove(id) => self.remove_router(*id),
        }
    }

    pub(super) fn install(&mut self, id: InstallationId) -> Applied {
        if let Some(known) = self.state.installation() {
            return Err(exists("installation", known));
        }
        self.put(Installation { id });
        Ok(())
    }

    fn create_cluster(&mut self, cluster: &Cluster) -> Applied {
        if self.state.cluster(&cluster.name).is_some() {
            return Err(exists("cluster", &cluster.name));
        }
        self.put(cluster.clone());
        Ok(())
    }

    fn register_instance(&mut self, instance: &Instance) -> Applied {
        if self.state.cluster(&instance.cluster).is_none() {
            return Err(not_found("cluster", &instance.cluster));
        }
        if self.state.instance(instance.id).is_none() {
            self.instance_event(instance, InstanceEventKind::Joined);
            self.put(instance.clone());
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
            divides_limits: instance.divides_limits.clone(),
        })
    }

    fn known_instance(&self, id: InstanceId) -> Result<Instance, Refusal> {
        self.state.instance(id).cloned().ok_or_else(|| not_found("instance", id))
    }

    fn report_instance(&mut self, report: &InstanceReport) -> Applied {
        let known = self.known_instance(report.instance)?;
        let new = Instance {
            name: report.name.clone(),
            capacity: report.capacity.clone(),
            platform: report.platform.clone(),
            host: report.host.clone(),
            advertised_address: report.advertised_address,
            agent_version: report.agent_version.clone(),
            docker_version: report.docker_version.clone(),
            divides_limits: report.divides_limits.clone(),
            ..known.clone()
        };
        let boots = [&known, &new].map(|instance| instance.host.boot_id.as_str());
        if boots[0] != boots[1] && boots.iter().all(|boot| !boot.is_empty()) {
            self.instance_event(&new, InstanceEventKind::Rebooted);
        }
        if new != known {
            self.put(new);
        }
        Ok(())
    }

    fn assign_subnet(&mut self, id: InstanceId, subnet: Subnet) -> Applied {
        let instance = self.known_instance(id)?;
        if instance.subnet == Some(subnet) {
            return Ok(());
        }
        if let Some(task) = self.state.tasks_on(id).next() {
            return Err(Refusal::InUse {
                kind: "subnet of instance",
                name: id.to_string(),
                by: User::Task(task.id),
            });
        }
        self.put(Instance { subnet: Some(subnet), last_address: 0, ..instance });
        Ok(())
    }

    fn set_instance_status(&mut self, id: InstanceId, status: InstanceStatus) -> Applied {
        let instance = self.known_instance(id)?;
        if instance.status != status {
            self.instance_event(&instance, InstanceEventKind::StatusChanged { status });
            self.put(Instance { status, ..instance });
        }
        Ok(())
    }

    fn allow_address(&mut self, id: InstanceId, address: IpAddr) -> Applied {
        let instance = self.known_instance(id)?;
        if address.is_unspecified() || address.is_multicast() {
            return Err(Refusal::Invalid(InvalidChange::HostAddress(address)));
        }
        if instance.allowed_address != Some(address) {
            self.put(Instance { allowed_address: Some(address), ..instance });
        }
        Ok(())
    }

    /// What is free matters once it is little, and once it is clearly more again.
    fn report_disk(&mut self, id: InstanceId, disk: DiskSeen) -> Applied {
        let instance = self.known_instance(id)?;
        let free_mib = disk.free_mib;
        let (event, disk_low) = match instance.disk_low {
            false if disk.is_nearly_full() => {
                (InstanceEventKind::DiskNearlyFull { free_mib }, true)
            }
            true if disk.has_room() => (InstanceEventKind::DiskHasRoom { free_mib }, false),
            true | false => return Ok(()),
        };
        self.instance_event(&instance, event);
        self.put(Instance { disk_low, ..instance });
        Ok(())
    }

    fn set_suspended(&mut self, id: InstanceId, suspended: bool) -> Applied {
        let instance = self.known_instance(id)?;
        if instance.suspended != suspended {
            let event =
                if suspended { InstanceEventKind::Suspended } else { InstanceEventKind::Resumed };
            self.instance_event(&instance, event);
            if !suspended {
                self.watch_anew(&instance.cluster);
            }
            self.put(Instance { suspended, ..instance });
        }
        Ok(())
    }

    /// Nobody watched the deployments of a cluster while what runs there was suspended: those that are watched have the
    /// whole time before them again.
    fn watch_anew(&mut self, cluster: &ClusterName) {
        let services = self.state.services().filter(|service| service.cluster == *cluster);
        let watched: Vec<Deployment> = services
            .filter_map(|service| {
                let known = self.state.current_deployment(service)?;
                let until = known.bakes_until()?;
                let anew = self.at.plus(service.deployment_configuration.bake_time());
                let stage = DeploymentStage::Replaced { bake_until: Some(until.max(anew)) };
                (until < anew).then(|| Deployment { stage, updated_at: self.at, ..known.clone() })
            })
            .collect();
        for deployment in watched {
            self.put(deployment);
        }
    }

    fn remove_instance(&mut self, id: InstanceId) -> Applied {
        let instance = self.known_instance(id)?;
        let left = self.state.tasks_on(id).find(|task| task.last_status() != TaskStatus::Stopped);
        if let Some(task) = left {
            return Err(Refusal::InUse {
                kind: "instance",
                name: instance.name,
                by: User::Task(task.id),
            });
        }
        self.instance_event(&instance, InstanceEventKind::Removed);
        self.remove::<Instance>(id);
        Ok(())
    }

    fn register_router(&mut self, router: &Router) {
        let new = match self.state.router(router.id) {
            Some(known) => Router { registered_at: known.registered_at, ..router.clone() },
            None => router.clone(),
        };
        if self.state.router(router.id) != Some(&new) {
            self.put(new);
        }
    }

    fn remove_router(&mut self, id: RouterId) -> Applied {
        if !self.remove::<Router>(id) {
            return Err(not_found("router", id));
        }
        Ok(())
    }
}
