//! From an image in the registry to a service with a URL, in one request.

use model::{
    ClusterName, DeploymentId, HealthCheckProtocol, HttpMatcher, ImageReference, KeyValue,
    Revision, ServiceName,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::cluster::default_cluster;
use crate::task_definition::TaskDefinitionReference;

/// What to deploy; what is absent is inferred, or stays as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DeployRequest {
    /// The service, its task definition family and its container.
    pub name: ServiceName,
    /// Its cluster; `default` unless it is given.
    #[serde(default = "default_cluster")]
    pub cluster_name: ClusterName,
    /// `NAME:latest` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageReference>,
    /// Runs this instead of one made from the image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub task_definition: Option<TaskDefinitionReference>,
    /// The lowest port of the image's EXPOSE by default, or the first that the task definition maps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// `NAME.localhost` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `/` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// `/` by default: a GET of it that answers 200 to 399 is healthy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_path: Option<String>,
    /// HTTP, or TCP for a connection alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_protocol: Option<HealthCheckProtocol>,
    /// What else is said of its health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckSettings>,
    /// How long after its start failed checks of a task are overlooked, in seconds; 0 by default. It acts at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_check_grace_period_seconds: Option<u32>,
    /// Sets these; variables that are not named stay.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub environment: Option<Vec<KeyValue>>,
    /// Unsets these variables.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unset_environment: Option<Vec<String>>,
    /// CPU units to reserve, 1024 is one core; 0 reserves none, which is the default, and gets 128 shares.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<u64>,
    /// MiB to reserve and to be limited to; 0 reserves none, which is the default, and is limited to half of the host's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// 1 by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub desired_count: Option<u32>,
    /// Instead of the image's CMD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<Vec<String>>,
}

impl DeployRequest {
    /// A request that says no more than the name.
    pub fn new(name: ServiceName) -> Self {
        Self {
            name,
            cluster_name: default_cluster(),
            image: None,
            task_definition: None,
            port: None,
            host: None,
            path: None,
            health_path: None,
            health_protocol: None,
            health_check: None,
            health_check_grace_period_seconds: None,
            environment: None,
            unset_environment: None,
            cpu: None,
            memory: None,
            desired_count: None,
            command: None,
        }
    }
}

/// What is said of a health check; what is absent is as before, or the default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthCheckSettings {
    /// Between two checks; 5 by default, 1 to 300.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interval_seconds: Option<u32>,
    /// How long one check may take; 2 by default, 1 to 120.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timeout_seconds: Option<u32>,
    /// Passes in a row that make an unhealthy target healthy; 2 by default, 1 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub healthy_threshold: Option<u32>,
    /// Failures in a row that make a healthy target unhealthy; 3 by default, 1 to 10.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unhealthy_threshold: Option<u32>,
    /// Which answers pass; `200-399` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub matcher: Option<HttpMatcher>,
    /// The port that is checked; the one that takes the traffic by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The Host that the check asks for; the first of the service that is no pattern by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

/// What was deployed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct DeployResponse {
    /// The service.
    pub service_name: ServiceName,
    /// Its cluster.
    pub cluster_name: ClusterName,
    /// The number of the service revision that it rolls out.
    pub revision: u32,
    /// The deployment that was started; null where nothing had to be rolled out.
    pub deployment_id: Option<DeploymentId>,
    /// Whether the service is new.
    pub created: bool,
    /// What it runs.
    pub task_definition: Revision,
    /// `repository@digest` of its first container.
    pub image: ImageReference,
    /// Where it answers, if a rule leads to it.
    pub url: Option<String>,
    /// What was not given.
    pub inferred: Vec<InferredValue>,
}

/// A value that was not given, and where it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct InferredValue {
    /// What it is.
    pub name: String,
    /// The value.
    pub value: String,
    /// Where it came from, for people.
    pub origin: String,
}
