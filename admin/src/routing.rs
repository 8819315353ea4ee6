//! Listeners, rules and target groups.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{
    Action, ClusterName, Conditions, RoutingChange, Rule, RuleId, ServiceName, TargetGroupName,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::instance::Done;
use crate::may::{ListenerList, May, RuleCreate, RuleDelete, RuleList, TargetGroupList};
use crate::problem::Problem;
use crate::request::{Body, Path, default_cluster, random, service};
use crate::shape::routing::{ListenerShape, RuleShape, TargetGroupShape};

/// All listeners.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listeners {
    listeners: Vec<ListenerShape>,
}

/// All listeners.
#[utoipa::path(get, path = "/listeners", responses((status = 200, body = Listeners), (status = "4XX", body = Problem)), extensions(("x-action" = json!("listener:List"))))]
pub(crate) async fn listeners(_: May<ListenerList>, State(api): State<Api>) -> Json<Listeners> {
    Json(Listeners { listeners: api.state().listeners().map(ListenerShape::of).collect() })
}

/// All target groups.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TargetGroups {
    target_groups: Vec<TargetGroupShape>,
}

/// All target groups with their targets and how routers see them.
#[utoipa::path(get, path = "/target-groups", responses((status = 200, body = TargetGroups), (status = "4XX", body = Problem)), extensions(("x-action" = json!("targetGroup:List"))))]
pub(crate) async fn target_groups(
    _: May<TargetGroupList>,
    State(api): State<Api>,
) -> Json<TargetGroups> {
    Json(TargetGroups { target_groups: TargetGroupShape::all(&api.state(), &api.seen()) })
}

/// All rules.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rules {
    rules: Vec<RuleShape>,
}

/// All rules: those with a priority first, lowest number first.
#[utoipa::path(get, path = "/rules", responses((status = 200, body = Rules), (status = "4XX", body = Problem)), extensions(("x-action" = json!("rule:List"))))]
pub(crate) async fn rules(_: May<RuleList>, State(api): State<Api>) -> Json<Rules> {
    let state = api.state();
    let mut rules: Vec<_> = state.rules().map(|rule| RuleShape::of(&state, rule)).collect();
    rules.sort_by_key(|rule| rule.priority.unwrap_or(u16::MAX));
    Json(Rules { rules })
}

/// A rule to make.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct RuleWish {
    /// One host, with `path` for people who just say both.
    host: Option<String>,
    /// A path as a prefix by whole segments.
    path: Option<String>,
    /// ALB host-header patterns.
    #[serde(default)]
    host_header: Vec<String>,
    /// ALB path patterns.
    #[serde(default)]
    path_pattern: Vec<String>,
    /// 1 to 50000; derived where it is not given.
    priority: Option<u16>,
    /// Forward to the target group of this service; the rule goes with it.
    #[schema(value_type = Option<String>)]
    service_name: Option<ServiceName>,
    /// Forward to this target group.
    #[schema(value_type = Option<String>)]
    target_group_name: Option<TargetGroupName>,
    /// Answer by itself.
    fixed_response: Option<FixedResponseWish>,
    /// `http` unless it is given.
    listener_name: Option<String>,
    /// The cluster of service and target group.
    #[serde(default = "default_cluster")]
    #[schema(value_type = Option<String>)]
    cluster_name: ClusterName,
}

/// An answer without a target.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct FixedResponseWish {
    status_code: u16,
    #[serde(default)]
    content_type: String,
    #[serde(default)]
    message_body: String,
}

/// Makes a rule.
#[utoipa::path(post, path = "/rules", request_body = RuleWish, responses((status = 201, body = RuleShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("rule:Create"))))]
pub(crate) async fn create_rule(
    _: May<RuleCreate>,
    State(api): State<Api>,
    Body(wish): Body<RuleWish>,
) -> Result<(StatusCode, Json<RuleShape>), Problem> {
    let rule = rule_of(&api, wish)?;
    api.apply(vec![RoutingChange::CreateRule(rule.clone()).into()]).await?;
    Ok((StatusCode::CREATED, Json(RuleShape::of(&api.state(), &rule))))
}

fn rule_of(api: &Api, wish: RuleWish) -> Result<Rule, Problem> {
    let (state, now) = (api.state(), api.now());
    let named = wish.service_name.as_ref();
    let service = named.map(|name| service(&state, &wish.cluster_name, name)).transpose()?;
    let action = match (service, &wish.target_group_name, wish.fixed_response) {
        (Some(service), None, None) => {
            let balancer = service.load_balancers.first().ok_or_else(|| {
                let detail =
                    format!("service `{}` takes no traffic: it has no target group", service.name);
                Problem::conflict("NoTargetGroup", detail)
            })?;
            Action::Forward { target_group: balancer.target_group }
        }
        (None, Some(name), None) => {
            let group = state
                .target_group_named(&wish.cluster_name, name)
                .ok_or_else(|| Problem::missing("target group", name.as_str()))?;
            Action::Forward { target_group: group.id }
        }
        (None, None, Some(fixed)) => Action::FixedResponse {
            status: fixed.status_code,
            content_type: fixed.content_type,
            body: fixed.message_body,
        },
        _ => {
            let detail = "a rule has exactly one of serviceName, targetGroupName and fixedResponse";
            return Err(Problem::invalid(detail));
        }
    };
    let mut conditions = match (&wish.host, &wish.path) {
        (None, None) => Conditions::default(),
        (host, path) => {
            let path = path.as_deref().unwrap_or("/");
            host_and_path(host.as_deref().unwrap_or("*"), path)?
        }
    };
    conditions.host_header.extend(wish.host_header);
    conditions.path_pattern.extend(wish.path_pattern);
    let listener = wish.listener_name.as_deref().unwrap_or("http");
    let listener = state
        .listeners()
        .find(|one| one.name == listener)
        .ok_or_else(|| Problem::missing("listener", listener))?;
    Ok(Rule {
        id: RuleId::new(now, random()),
        listener: listener.id,
        priority: wish.priority,
        conditions,
        action,
        service: service.map(|service| service.id),
        created_at: now,
    })
}

/// What people mean who just say host and path; what could never match is refused.
pub(crate) fn host_and_path(host: &str, path: &str) -> Result<Conditions, Problem> {
    if !path.starts_with('/') {
        return Err(Problem::invalid(format!("path `{path}` does not begin with `/`")));
    }
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some((name, _)) = host.rsplit_once(':').filter(|_| !host.ends_with(']')) {
        let detail = format!(
            "host `{host}` has a port: a rule holds on the listener's port, write `{name}`"
        );
        return Err(Problem::invalid(detail));
    }
    Ok(Conditions::host_and_path(host, path))
}

/// Removes a rule.
#[utoipa::path(delete, path = "/rules/{rule}", params(("rule" = String, Path)), responses((status = 200, body = Done), (status = "4XX", body = Problem)), extensions(("x-action" = json!("rule:Delete"))))]
pub(crate) async fn remove_rule(
    _: May<RuleDelete>,
    State(api): State<Api>,
    Path(id): Path<RuleId>,
) -> Result<Json<Done>, Problem> {
    api.apply(vec![RoutingChange::RemoveRule(id).into()]).await?;
    Ok(Json(Done {}))
}
