//! Services and their deployments.

use std::collections::BTreeMap;

use model::history::ServiceEvent;
use model::{Deployment, RolloutState, Service, ServiceStatus, State, Task};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::at;
use super::instance::{pends, runs};

/// A service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ServiceShape {
    pub(crate) service_name: String,
    pub(crate) service_id: String,
    pub(crate) cluster_name: String,
    /// ACTIVE or DRAINING.
    pub(crate) status: &'static str,
    pub(crate) desired_count: u32,
    pub(crate) running_count: usize,
    pub(crate) pending_count: usize,
    pub(crate) task_definition: String,
    /// Where it answers, if a rule leads to it.
    pub(crate) url: Option<String>,
    pub(crate) scheduling_strategy: &'static str,
    /// ECS's `DeploymentConfiguration`.
    #[schema(value_type = Object)]
    pub(crate) deployment_configuration: Value,
    pub(crate) follow_tags: bool,
    /// Why a task of it cannot be placed now.
    pub(crate) placement_failure: Option<String>,
    pub(crate) load_balancers: Vec<LoadBalancerShape>,
    pub(crate) health_check_grace_period_seconds: u32,
    pub(crate) deployments: Vec<DeploymentShape>,
    /// Where a rollback goes while a deployment is in progress.
    pub(crate) last_completed_deployment: Option<CompletedShape>,
    /// Newest first.
    pub(crate) events: Vec<EventShape>,
    pub(crate) created_at: String,
    pub(crate) created_by: String,
}

/// One container port in a target group.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LoadBalancerShape {
    pub(crate) target_group_name: String,
    pub(crate) container_name: String,
    pub(crate) container_port: u16,
}

/// A deployment.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct DeploymentShape {
    pub(crate) id: String,
    /// PRIMARY: the one that counts; ACTIVE: an older one that still has tasks.
    pub(crate) status: &'static str,
    pub(crate) task_definition: String,
    /// `repository@digest` by container.
    #[schema(value_type = BTreeMap<String, String>)]
    pub(crate) images: BTreeMap<String, String>,
    pub(crate) desired_count: u32,
    pub(crate) running_count: usize,
    pub(crate) pending_count: usize,
    /// Tasks that failed in a row.
    pub(crate) failed_tasks: u32,
    /// `IN_PROGRESS`, `COMPLETED` or `FAILED`.
    pub(crate) rollout_state: &'static str,
    pub(crate) rollout_state_reason: String,
    /// The deployment that this one goes back from.
    pub(crate) rollback_of: Option<String>,
    pub(crate) created_at: String,
    pub(crate) updated_at: String,
}

/// A deployment that completed.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CompletedShape {
    pub(crate) id: String,
    pub(crate) task_definition: String,
}

/// Something that happened to a service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventShape {
    pub(crate) created_at: String,
    pub(crate) message: String,
}

impl EventShape {
    pub(crate) fn of(event: &ServiceEvent) -> Self {
        Self { created_at: at(event.at), message: event.message.clone() }
    }
}

impl ServiceShape {
    /// Without events: those are history, which the caller reads.
    pub(crate) fn of(state: &State, service: &Service, router_port: u16) -> Self {
        let tasks = || state.tasks_of(service.id).filter(|task| task.wanted());
        let mut deployments: Vec<_> = state
            .deployments()
            .filter(|deployment| deployment.service == service.id)
            .filter_map(|deployment| DeploymentShape::of(state, service, deployment))
            .collect();
        deployments.reverse();
        deployments.sort_by_key(|deployment| deployment.status != "PRIMARY");
        Self {
            service_name: service.name.to_string(),
            service_id: service.id.to_string(),
            cluster_name: service.cluster.to_string(),
            status: match service.status {
                ServiceStatus::Active => "ACTIVE",
                ServiceStatus::Draining => "DRAINING",
            },
            desired_count: service.desired_count,
            running_count: tasks().filter(|task| runs(task.last_status)).count(),
            pending_count: tasks().filter(|task| pends(task.last_status)).count(),
            task_definition: service.task_definition.to_string(),
            url: super::url(state, service, router_port),
            scheduling_strategy: match service.scheduling_strategy {
                model::SchedulingStrategy::Replica => "REPLICA",
            },
            deployment_configuration: serde_json::to_value(&service.deployment_configuration)
                .unwrap_or_default(),
            follow_tags: service.follow_tags,
            placement_failure: service.placement_failure.clone(),
            load_balancers: service
                .load_balancers
                .iter()
                .map(|balancer| LoadBalancerShape {
                    target_group_name: state
                        .target_group(balancer.target_group)
                        .map_or_else(String::new, |group| group.name.to_string()),
                    container_name: balancer.container_name.to_string(),
                    container_port: balancer.container_port,
                })
                .collect(),
            health_check_grace_period_seconds: service.health_check_grace_period_seconds,
            deployments,
            last_completed_deployment: service.last_completed.as_ref().map(|completed| {
                CompletedShape {
                    id: completed.id.to_string(),
                    task_definition: completed.task_definition.to_string(),
                }
            }),
            events: Vec::new(),
            created_at: at(service.created_at),
            created_by: service.created_by.clone(),
        }
    }
}

impl DeploymentShape {
    /// Each task counts for one: for the PRIMARY deployment if that keeps it, else for its own. None for an older one
    /// whose tasks are all kept.
    fn of(state: &State, service: &Service, deployment: &Deployment) -> Option<Self> {
        let primary = service.deployment.and_then(|id| state.deployment(id));
        let counts = service.deployment == Some(deployment.id);
        let is_kept = |task: &Task| primary.is_some_and(|primary| primary.owns(task));
        let own = || {
            let all = state.tasks_of(service.id);
            all.filter(|task| task.deployment == Some(deployment.id))
        };
        if !counts && own().next().is_some() && own().all(is_kept) {
            return None;
        }
        let tasks = || {
            let all = state.tasks_of(service.id).filter(|task| task.wanted());
            all.filter(|task| {
                if counts {
                    deployment.owns(task)
                } else {
                    task.deployment == Some(deployment.id) && !is_kept(task)
                }
            })
        };
        let images = deployment.images.iter();
        Some(Self {
            id: deployment.id.to_string(),
            status: if counts { "PRIMARY" } else { "ACTIVE" },
            task_definition: deployment.task_definition.to_string(),
            images: images.map(|(name, image)| (name.to_string(), image.to_string())).collect(),
            desired_count: if counts { service.desired_count } else { 0 },
            running_count: tasks().filter(|task| runs(task.last_status)).count(),
            pending_count: tasks().filter(|task| pends(task.last_status)).count(),
            failed_tasks: deployment.failed_tasks,
            rollout_state: match deployment.rollout_state {
                RolloutState::InProgress => "IN_PROGRESS",
                RolloutState::Completed => "COMPLETED",
                RolloutState::Failed => "FAILED",
            },
            rollout_state_reason: deployment.rollout_state_reason.clone(),
            rollback_of: deployment.rollback_of.map(|id| id.to_string()),
            created_at: at(deployment.created_at),
            updated_at: at(deployment.updated_at),
        })
    }
}
