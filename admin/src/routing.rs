//! Listeners, rules and target groups.

use api::{CreateRuleRequest, Done, Page, PageQuery, ProblemCode};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{Action, Conditions, RoutingChange, Rule, RuleId};

use crate::Api;
use crate::describe::routing::{listener, rule, target_groups};
use crate::idempotency::IdempotencyParameter;
use crate::may::{ListenerList, May, RuleCreate, RuleDelete, RuleList, TargetGroupList};
use crate::page::page;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path, random, service};

/// All listeners.
#[utoipa::path(get, path = "/listeners", params(PageQuery), responses((status = 200, body = Page<api::Listener>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("listener:List"))))]
pub(crate) async fn listeners(
    _: May<ListenerList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Listener>>, Problem> {
    let state = api.state();
    let key = |one: &&model::Listener| one.id;
    page(state.listeners(), key, query.limit, query.next_token.as_ref(), listener).map(Json)
}

/// All target groups with their targets and how routers see them.
#[utoipa::path(get, path = "/target-groups", params(PageQuery), responses((status = 200, body = Page<api::TargetGroup>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("targetGroup:List"))))]
pub(crate) async fn list_target_groups(
    _: May<TargetGroupList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::TargetGroup>>, Problem> {
    let groups = target_groups(&api.state(), &api.seen()).into_iter();
    let key = |one: &api::TargetGroup| one.target_group_id;
    page(groups, key, query.limit, query.next_token.as_ref(), |one| one).map(Json)
}

/// All rules: those with a priority first, lowest number first.
#[utoipa::path(get, path = "/rules", params(PageQuery), responses((status = 200, body = Page<api::Rule>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:List"))))]
pub(crate) async fn rules(
    _: May<RuleList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Rule>>, Problem> {
    let state = api.state();
    let rules = state.rules().filter_map(|one| rule(&state, one));
    let key = |one: &api::Rule| (one.priority.unwrap_or(u16::MAX), one.rule_id);
    page(rules, key, query.limit, query.next_token.as_ref(), |one| one).map(Json)
}

/// Makes a rule.
#[utoipa::path(post, path = "/rules", params(IdempotencyParameter), request_body = CreateRuleRequest, responses((status = 201, body = api::Rule), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:Create"))))]
pub(crate) async fn create_rule(
    _: May<RuleCreate>,
    State(api): State<Api>,
    Body(request): Body<CreateRuleRequest>,
) -> Result<(StatusCode, Json<api::Rule>), Problem> {
    let made = rule_of(&api, request)?;
    api.apply(vec![RoutingChange::CreateRule(made.clone()).into()]).await?;
    let described = rule(&api.state(), &made);
    let described = described.ok_or_else(|| Problem::missing("rule", &made.id.to_string()))?;
    Ok((StatusCode::CREATED, Json(described)))
}

fn rule_of(api: &Api, request: CreateRuleRequest) -> Result<Rule, Problem> {
    let (state, now) = (api.state(), api.now());
    let named = request.service_name.as_ref();
    let service = named.map(|name| service(&state, &request.cluster_name, name)).transpose()?;
    let action = match (service, &request.target_group_name, request.fixed_response) {
        (Some(service), None, None) => {
            let balancer = service.load_balancers.first().ok_or_else(|| {
                let detail =
                    format!("service `{}` takes no traffic: it has no target group", service.name);
                Problem::new(ProblemCode::NoTargetGroup, detail)
            })?;
            Action::Forward { target_group: balancer.target_group }
        }
        (None, Some(name), None) => {
            let group = state
                .target_group_named(&request.cluster_name, name)
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
    let mut conditions = match (&request.host, &request.path) {
        (None, None) => Conditions::default(),
        (host, path) => {
            let path = path.as_deref().unwrap_or("/");
            host_and_path(host.as_deref().unwrap_or("*"), path)?
        }
    };
    conditions.host_header.extend(request.host_header);
    conditions.path_pattern.extend(request.path_pattern);
    let listener = request.listener_name.as_deref().unwrap_or("http");
    let listener = state
        .listeners()
        .find(|one| one.name == listener)
        .ok_or_else(|| Problem::missing("listener", listener))?;
    Ok(Rule {
        id: RuleId::new(now, random()),
        listener: listener.id,
        priority: request.priority,
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
#[utoipa::path(delete, path = "/rules/{rule}", params(("rule" = RuleId, Path)), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("rule:Delete"))))]
pub(crate) async fn remove_rule(
    _: May<RuleDelete>,
    State(api): State<Api>,
    Path(id): Path<RuleId>,
) -> Result<Json<Done>, Problem> {
    api.apply(vec![RoutingChange::RemoveRule(id).into()]).await?;
    Ok(Json(Done {}))
}
