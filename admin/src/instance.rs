//! Instances, and the tokens that let agents and routers join.

use std::time::Duration;

use access::new_secret;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{
    AccessChange, Change, ClusterName, Instance, InstanceStatus, JoinToken, JoinTokenId, PeerRole,
    TaskChange,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::Api;
use crate::may::{
    InstanceCreateJoinToken, InstanceGet, InstanceList, InstanceRemove, InstanceUpdate, May,
    RouterCreateJoinToken,
};
use crate::problem::Problem;
use crate::request::{Body, Path, default_cluster, random};
use crate::shape::at;
use crate::shape::instance::InstanceShape;

/// A join token lives for a week at most.
const LONGEST_TOKEN: u32 = 7 * 24 * 3600;

/// All instances.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Instances {
    instances: Vec<InstanceShape>,
}

/// All instances.
#[utoipa::path(get, path = "/instances", responses((status = 200, body = Instances), (status = "4XX", body = Problem)), extensions(("x-action" = json!("instance:List"))))]
pub(crate) async fn list(_: May<InstanceList>, State(api): State<Api>) -> Json<Instances> {
    let (state, observed, now) = (api.state(), api.seen(), api.now());
    let shape = |one| InstanceShape::of(&state, &observed, &api.lease, now, one);
    Json(Instances { instances: state.instances().map(shape).collect() })
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
            Err(Problem::conflict("AmbiguousName", detail))
        }
    }
}

fn shape(api: &Api, state: &model::State, instance: &Instance) -> Json<InstanceShape> {
    Json(InstanceShape::of(state, &api.seen(), &api.lease, api.now(), instance))
}

/// One instance by id, or by name where only one has it.
#[utoipa::path(get, path = "/instances/{instance}", params(("instance" = String, Path)), responses((status = 200, body = InstanceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("instance:Get"))))]
pub(crate) async fn get(
    _: May<InstanceGet>,
    State(api): State<Api>,
    Path(text): Path<String>,
) -> Result<Json<InstanceShape>, Problem> {
    let state = api.state();
    Ok(shape(&api, &state, find(&state, &text)?))
}

/// New settings of an instance.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct InstanceChange {
    /// ACTIVE takes new tasks; DRAINING takes none, and its service tasks are replaced elsewhere.
    #[schema(value_type = String)]
    status: InstanceStatus,
}

/// Sets an instance ACTIVE or DRAINING.
#[utoipa::path(patch, path = "/instances/{instance}", params(("instance" = String, Path)), request_body = InstanceChange, responses((status = 200, body = InstanceShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("instance:Update"))))]
pub(crate) async fn update(
    _: May<InstanceUpdate>,
    State(api): State<Api>,
    Path(text): Path<String>,
    Body(change): Body<InstanceChange>,
) -> Result<Json<InstanceShape>, Problem> {
    let instance = find(&api.state(), &text)?.id;
    api.apply(vec![model::InstanceChange::SetStatus { instance, status: change.status }.into()])
        .await?;
    let state = api.state();
    Ok(shape(&api, &state, find(&state, &text)?))
}

/// Nothing to say but that it is done.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Done {}

/// Removes an instance that will not come back; what is left of its tasks counts as stopped.
#[utoipa::path(delete, path = "/instances/{instance}", params(("instance" = String, Path)), responses((status = 200, body = Done), (status = "4XX", body = Problem)), extensions(("x-action" = json!("instance:Remove"))))]
pub(crate) async fn remove(
    _: May<InstanceRemove>,
    State(api): State<Api>,
    Path(text): Path<String>,
) -> Result<Json<Done>, Problem> {
    let id = find(&api.state(), &text)?.id;
    if api.observed.borrow().connected(id) {
        let detail = format!(
            "instance `{text}` is connected: end its agent first; `berth instance drain {text}` moves its tasks elsewhere"
        );
        return Err(Problem::conflict("InstanceConnected", detail));
    }
    let state = api.state();
    api.apply_each(
        state.tasks_on(id).map(|task| Change::from(TaskChange::Lose(task.id))).collect(),
    )
    .await?;
    api.apply(vec![model::InstanceChange::Remove(id).into()]).await?;
    Ok(Json(Done {}))
}

/// Who may join, how often and how long.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct JoinTokenWish {
    /// `agent` or `router`.
    #[schema(value_type = String)]
    role: PeerRole,
    /// The cluster that an instance joins.
    #[serde(default = "default_cluster")]
    #[schema(value_type = Option<String>)]
    cluster_name: ClusterName,
    /// 3600 by default, a week at most.
    #[serde(default = "hour")]
    #[schema(value_type = Option<u32>)]
    expires_in_seconds: u32,
    /// 1 by default.
    #[serde(default = "once")]
    #[schema(value_type = Option<u32>)]
    uses: u32,
}

fn hour() -> u32 {
    3600
}

fn once() -> u32 {
    1
}

/// A join token, shown once.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct JoinTokenShape {
    token: String,
    role: String,
    uses: u32,
    expires_at: String,
    /// The line to paste on the new host.
    command: String,
}

/// Makes a token that lets an agent or a router join.
#[utoipa::path(post, path = "/join-tokens", request_body = JoinTokenWish, responses((status = 201, body = JoinTokenShape), (status = "4XX", body = Problem)), extensions(("x-action" = json!("instance:CreateJoinToken"))))]
pub(crate) async fn create_join_token(
    may: May<InstanceCreateJoinToken>,
    State(api): State<Api>,
    Body(wish): Body<JoinTokenWish>,
) -> Result<(StatusCode, Json<JoinTokenShape>), Problem> {
    if wish.role == PeerRole::Router {
        may.also::<RouterCreateJoinToken>(&api)?;
    }
    if !(1..=LONGEST_TOKEN).contains(&wish.expires_in_seconds) || !(1..=1000).contains(&wish.uses) {
        let detail = "expiresInSeconds is 1 to 604800 and uses is 1 to 1000";
        return Err(Problem::invalid(detail));
    }
    let now = api.now();
    let secret = new_secret("berth_join");
    let token = JoinToken {
        id: JoinTokenId::new(now, random()),
        role: wish.role,
        cluster: wish.cluster_name,
        hash: secret.hash,
        uses_left: wish.uses,
        created_at: now,
        expires_at: now.plus(Duration::from_secs(wish.expires_in_seconds.into())),
    };
    let text = format!("berth-join-v1.{}.{}.{}", api.info.ca_fingerprint, token.id, secret.text);
    let shape = JoinTokenShape {
        role: wish.role.to_string(),
        uses: wish.uses,
        expires_at: at(token.expires_at),
        command: format!(
            "berth {} --server {} --join-token {text}",
            wish.role, api.info.link_address
        ),
        token: text,
    };
    api.apply(vec![AccessChange::CreateJoinToken(token).into()]).await?;
    Ok((StatusCode::CREATED, Json(shape)))
}
