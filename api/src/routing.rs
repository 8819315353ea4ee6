//! Listeners, rules, target groups and their targets.

use std::net::SocketAddr;

use model::{
    ClusterName, HealthCheck, ListenerId, RuleId, ServiceName, TargetGroupId, TargetGroupName,
    TaskId, Timestamp,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::default_cluster;

/// A listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its id.
    pub listener_id: ListenerId,
    /// Its name.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id.
    pub rule_id: RuleId,
    /// Its listener.
    pub listener_name: String,
    /// 1 to 50000; null where it is derived from host and path.
    pub priority: Option<u16>,
    /// ALB host-header patterns.
    pub host_header: Vec<String>,
    /// ALB path patterns.
    pub path_pattern: Vec<String>,
    /// What happens with a request that matches.
    pub action: RuleAction,
    /// The service that it was made for and goes with.
    pub service_name: Option<ServiceName>,
    /// The number of the service's revision that it comes and goes with; null where somebody made it by itself.
    pub service_revision: Option<u32>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// What happens with a request that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case", rename_all_fields = "camelCase", tag = "type")]
pub enum RuleAction {
    /// To a target of this group.
    Forward {
        /// The group.
        target_group_name: TargetGroupName,
    },
    /// The router answers by itself.
    FixedResponse(FixedResponse),
}

/// An answer without a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FixedResponse {
    /// 2xx, 4xx or 5xx.
    pub status_code: u16,
    /// The content type of the body.
    #[serde(default)]
    pub content_type: String,
    /// The body.
    #[serde(default)]
    pub message_body: String,
}

/// A rule to make: it has exactly one of `serviceName`, `targetGroupName` and `fixedResponse`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CreateRuleRequest {
    /// One host, with `path` for people who just say both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// A path as a prefix by whole segments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// ALB host-header patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub host_header: Vec<String>,
    /// ALB path patterns.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path_pattern: Vec<String>,
    /// 1 to 50000; derived where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<u16>,
    /// Forward to the target group of this service; the rule goes with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service_name: Option<ServiceName>,
    /// Forward to this target group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_group_name: Option<TargetGroupName>,
    /// Answer by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fixed_response: Option<FixedResponse>,
    /// `http` unless it is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub listener_name: Option<String>,
    /// The cluster of service and target group; `default` unless it is given.
    #[serde(default = "default_cluster")]
    pub cluster_name: ClusterName,
}

impl CreateRuleRequest {
    /// A rule about a cluster that says nothing yet.
    pub fn of_cluster(cluster_name: ClusterName) -> Self {
        Self {
            host: None,
            path: None,
            host_header: Vec::new(),
            path_pattern: Vec::new(),
            priority: None,
            service_name: None,
            target_group_name: None,
            fixed_response: None,
            listener_name: None,
            cluster_name,
        }
    }
}

/// A target group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroup {
    /// Its id.
    pub target_group_id: TargetGroupId,
    /// Its name.
    pub target_group_name: TargetGroupName,
    /// Its cluster.
    pub cluster_name: ClusterName,
    /// How each router checks its targets.
    pub health_check: HealthCheck,
    /// How long a target that leaves may take to finish what it has.
    pub deregistration_delay_seconds: u32,
    /// Its targets.
    pub targets: Vec<Target>,
}

/// A target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Target {
    /// Its task.
    pub task_id: TaskId,
    /// The task's own address and port.
    #[schema(value_type = String)]
    pub address: SocketAddr,
    /// How the connected routers see it.
    pub health: TargetHealth,
    /// Why it is not healthy, for people.
    pub reason: Option<String>,
    /// Requests that it still has.
    pub in_flight: u32,
}

/// How the connected routers see a target, in ELB's words as far as it has them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TargetHealth {
    /// Has not passed a check yet.
    Initial,
    /// Passes on all of them.
    Healthy,
    /// Fails on one.
    Unhealthy,
    /// Leaves: it gets no new requests.
    Draining,
    /// No connected router has said.
    Unknown,
}
