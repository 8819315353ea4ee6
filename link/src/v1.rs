//! Views as version 1 of the protocol sends them: one JSON document each. The server still sends these to peers of the
//! version before, peers still take them from a server of the version before, and a router's table on disk may be one.

use std::collections::BTreeMap;
use std::net::IpAddr;

use model::view::{InstanceView, TargetGroupView, TargetView, View};
use model::{
    AgentView, AssignedTask, HealthCheck, InstallationId, InstanceId, Listener, RouterView, Rule,
    Subnet, TargetGroupId, TargetGroupName,
};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A view that version 1 of the protocol knows.
pub trait Version1: View {
    /// Its document.
    type Document: Serialize + DeserializeOwned;

    /// Its document; None where version 1 has none for it.
    fn to_document(&self) -> Option<Self::Document>;

    /// The view that a document shows.
    fn from_document(document: Self::Document) -> Self;
}

/// What an agent sees in version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AgentDocument {
    installation: InstallationId,
    instance: InstanceId,
    subnet: Option<Subnet>,
    advertised_address: IpAddr,
    tasks: Vec<AssignedTask>,
}

/// What a router sees in version 1.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RouterDocument {
    listeners: Vec<Listener>,
    rules: Vec<Rule>,
    target_groups: Vec<GroupDocument>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct GroupDocument {
    id: TargetGroupId,
    name: TargetGroupName,
    health_check: HealthCheck,
    expects_targets: bool,
    targets: Vec<TargetView>,
}

impl Version1 for AgentView {
    type Document = AgentDocument;

    fn to_document(&self) -> Option<AgentDocument> {
        let instance = self.instance()?;
        Some(AgentDocument {
            installation: instance.installation,
            instance: instance.id,
            subnet: instance.subnet,
            advertised_address: instance.advertised_address,
            tasks: self.tasks.values().cloned().collect(),
        })
    }

    fn from_document(document: AgentDocument) -> Self {
        let instance = InstanceView {
            installation: document.installation,
            id: document.instance,
            subnet: document.subnet,
            advertised_address: document.advertised_address,
        };
        Self {
            instances: [(instance.id, instance)].into(),
            tasks: document.tasks.into_iter().map(|task| (task.id, task)).collect(),
        }
    }
}

impl Version1 for RouterView {
    type Document = RouterDocument;

    fn to_document(&self) -> Option<RouterDocument> {
        let group = |(group, targets): (&TargetGroupView, Vec<&TargetView>)| GroupDocument {
            id: group.id,
            name: group.name.clone(),
            health_check: group.health_check.clone(),
            expects_targets: group.expects_targets,
            targets: targets.into_iter().cloned().collect(),
        };
        Some(RouterDocument {
            listeners: self.listeners.values().cloned().collect(),
            rules: self.rules.values().cloned().collect(),
            target_groups: self.groups().map(group).collect(),
        })
    }

    fn from_document(document: RouterDocument) -> Self {
        let (mut groups, mut targets) = (BTreeMap::new(), BTreeMap::new());
        for group in document.target_groups {
            let GroupDocument { id, name, health_check, expects_targets, targets: own } = group;
            targets.extend(own.into_iter().map(|target| ((id, target.task), target)));
            groups.insert(id, TargetGroupView { id, name, health_check, expects_targets });
        }
        let listeners = document.listeners.into_iter().map(|listener| (listener.id, listener));
        let rules = document.rules.into_iter().map(|rule| (rule.id, rule));
        Self {
            listeners: listeners.collect(),
            rules: rules.collect(),
            target_groups: groups,
            targets,
        }
    }
}
