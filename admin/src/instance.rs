//! Instances, and the tokens that let agents and routers join.

use std::time::Duration;

use access::new_secret;
use api::{CreateJoinTokenRequest, Done, Page, PageQuery, ProblemCode, UpdateInstanceRequest};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{
    AccessChange, Change, Instance, InstanceChange, JoinToken, JoinTokenId, PeerRole, TaskChange,
};

use crate::Api;
use crate::describe::instance::instance;
use crate::idempotency::IdempotencyParameter;
use crate::may::{
    InstanceCreateJoinToken, InstanceGet, InstanceList, InstanceRemove, InstanceUpdate, May,
    RouterCreateJoinToken,
};
use crate::page::page;
use crate::precondition::{Precondition, Tagged, entity_tag, instance_settings};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path, random};

/// A join token lives for a week at most.
const LONGEST_TOKEN: u32 = 7 * 24 * 3600;

/// All instances.
#[utoipa::path(get, path = "/instances", params(PageQuery), responses((status = 200, body = Page<api::Instance>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:List"))))]
pub(crate) async fn list(
    _: May<InstanceList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Instance>>, Problem> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let key = |one: &&Instance| one.id;
    let describe = |one| instance(&state, &observed, &api.lease, now, one);
    page(state.instances(), key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// The instance of that id, or of that name where only one has it.
fn find<'a>(state: &'a model::State, text: &str) -> Result<&'a Instance, Problem> {
    if let Some(found) = text.parse().ok().and_then(|id| state.instance(id)) {
        return Ok(found);
    }
    let mut named = state.instances().filter(|instance| instance.name == text);
    match (named.next(), named.next()) {
        (Some(only), None) => Ok(only),
        (None, _) => Err(Problem::missing("instance", text)),
        (Some(_), Some(_)) => {
            let detail = format!(
                "several instances are named `{text}`: say the id that `berth instance ls` shows"
            );
            Err(Problem::new(ProblemCode::AmbiguousName, detail))
        }
    }
}

fn describe(api: &Api, state: &model::State, one: &Instance) -> Tagged<api::Instance> {
    let described = instance(state, &api.seen(), &api.lease, api.now(), one);
    Tagged(entity_tag(&instance_settings(one)), described)
}

/// One instance by id, or by name where only one has it.
#[utoipa::path(get, path = "/instances/{instance}", params(("instance" = String, Path)), responses((status = 200, body = api::Instance, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Get"))))]
pub(crate) async fn get(
    _: May<InstanceGet>,
    State(api): State<Api>,
    Path(text): Path<String>,
) -> Result<Tagged<api::Instance>, Problem> {
    let state = api.state();
    Ok(describe(&api, &state, find(&state, &text)?))
}

/// Sets an instance ACTIVE or DRAINING.
#[utoipa::path(patch, path = "/instances/{instance}", params(("instance" = String, Path), Precondition), request_body = UpdateInstanceRequest, responses((status = 200, body = api::Instance, headers(("ETag" = String, description = "Which state it is in; for If-Match."))), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Update"))))]
pub(crate) async fn update(
    _: May<InstanceUpdate>,
    State(api): State<Api>,
    Path(text): Path<String>,
    precondition: Precondition,
    Body(request): Body<UpdateInstanceRequest>,
) -> Result<Tagged<api::Instance>, Problem> {
    let state = api.state();
    let known = find(&state, &text)?;
    precondition.check(&instance_settings(known))?;
    let change = InstanceChange::SetStatus { instance: known.id, status: request.status };
    api.apply(vec![change.into()]).await?;
    let state = api.state();
    Ok(describe(&api, &state, find(&state, &text)?))
}

/// Removes an instance that will not come back; what is left of its tasks counts as stopped.
#[utoipa::path(delete, path = "/instances/{instance}", params(("instance" = String, Path), Precondition), responses((status = 200, body = Done), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:Remove"))))]
pub(crate) async fn remove(
    _: May<InstanceRemove>,
    State(api): State<Api>,
    Path(text): Path<String>,
    precondition: Precondition,
) -> Result<Json<Done>, Problem> {
    let state = api.state();
    let known = find(&state, &text)?;
    precondition.check(&instance_settings(known))?;
    let id = known.id;
    if api.observed.borrow().connected(id) {
        let detail = format!(
            "instance `{text}` is connected: end its agent first; `berth instance drain {text}` moves its tasks elsewhere"
        );
        return Err(Problem::new(ProblemCode::InstanceConnected, detail));
    }
    let lose = state.tasks_on(id).map(|task| Change::from(TaskChange::Lose(task.id)));
    api.apply_each(lose.collect()).await?;
    api.apply(vec![InstanceChange::Remove(id).into()]).await?;
    Ok(Json(Done {}))
}

/// Makes a token that lets an agent or a router join.
#[utoipa::path(post, path = "/join-tokens", params(IdempotencyParameter), request_body = CreateJoinTokenRequest, responses((status = 201, body = api::JoinToken), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("instance:CreateJoinToken"))))]
pub(crate) async fn create_join_token(
    may: May<InstanceCreateJoinToken>,
    State(api): State<Api>,
    Body(request): Body<CreateJoinTokenRequest>,
) -> Result<(StatusCode, Json<api::JoinToken>), Problem> {
    if request.role == PeerRole::Router {
        may.also::<RouterCreateJoinToken>(&api)?;
    }
    if !(1..=LONGEST_TOKEN).contains(&request.expires_in_seconds)
        || !(1..=1000).contains(&request.uses)
    {
        let detail = "expiresInSeconds is 1 to 604800 and uses is 1 to 1000";
        return Err(Problem::invalid(detail));
    }
    let now = api.now();
    let secret = new_secret("berth_join");
    let token = JoinToken {
        id: JoinTokenId::new(now, random()),
        role: request.role,
        cluster: request.cluster_name,
        hash: secret.hash,
        uses_left: request.uses,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(request.expires_in_seconds.into())),
    };
    let text = format!("berth-join-v1.{}.{}.{}", api.info.ca_fingerprint, token.id, secret.text);
    let answer = api::JoinToken {
        role: request.role,
        uses: request.uses,
        expires_at: token.expires_at,
        command: format!(
            "berth {} --server {} --join-token {text}",
            request.role, api.info.link_address
        ),
        token: text,
    };
    api.apply(vec![AccessChange::CreateJoinToken(token).into()]).await?;
    Ok((StatusCode::CREATED, Json(answer)))
}
