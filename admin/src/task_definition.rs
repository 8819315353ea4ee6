//! Task definitions: ECS's JSON as it is.

use std::collections::BTreeMap;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{
    ContainerDefinition, ContainerName, Family, ImageReference, PinnedImage, Reference, Revision,
    TaskDefinition, TaskDefinitionChange,
};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::ecs::{self, Registration};
use crate::may::{May, TaskDefinitionGet, TaskDefinitionList, TaskDefinitionRegister};
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// All task definitions.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TaskDefinitions {
    #[schema(value_type = Vec<Object>)]
    task_definitions: Vec<Value>,
}

/// Which families.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct OfFamily {
    #[param(value_type = Option<String>)]
    family: Option<Family>,
}

/// How to register.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Registering {
    /// Whether fields of ECS's that Berth does not have are left out, instead of refused.
    #[serde(default)]
    #[param(value_type = Option<bool>)]
    leave_out: bool,
}

/// A definition as ECS describes it.
pub(crate) fn shape(definition: &TaskDefinition) -> Value {
    let mut value = serde_json::to_value(definition).unwrap_or_default();
    value["taskDefinition"] = Value::from(definition.key().to_string());
    value
}

/// Task definitions by family and revision.
#[utoipa::path(get, path = "/task-definitions", params(OfFamily), responses((status = 200, body = TaskDefinitions), (status = "4XX", body = Problem)), extensions(("x-action" = json!("taskDefinition:List"))))]
pub(crate) async fn list(
    _: May<TaskDefinitionList>,
    State(api): State<Api>,
    Parameters(which): Parameters<OfFamily>,
) -> Json<TaskDefinitions> {
    let state = api.state();
    let wanted = state
        .task_definitions()
        .filter(|definition| which.family.as_ref().is_none_or(|one| definition.family == *one));
    Json(TaskDefinitions { task_definitions: wanted.map(shape).collect() })
}

/// One task definition: `family:revision`, or `family` for the newest.
#[utoipa::path(get, path = "/task-definitions/{taskDefinition}", params(("taskDefinition" = String, Path)), responses((status = 200, body = Object), (status = "4XX", body = Problem)), extensions(("x-action" = json!("taskDefinition:Get"))))]
pub(crate) async fn get(
    _: May<TaskDefinitionGet>,
    State(api): State<Api>,
    Path(name): Path<String>,
) -> Result<Json<Value>, Problem> {
    Ok(Json(shape(find(&api.state(), &name)?)))
}

/// The definition of that name: `family:revision`, or `family` for the newest.
pub(crate) fn find<'a>(state: &'a model::State, name: &str) -> Result<&'a TaskDefinition, Problem> {
    let found = if name.contains(':') {
        let key: Revision = name.parse().map_err(|error| Problem::invalid(format!("{error}")))?;
        state.task_definition(&key)
    } else {
        let family: Family = name.parse().map_err(|error| Problem::invalid(format!("{error}")))?;
        state.latest_task_definition(&family)
    };
    found.ok_or_else(|| Problem::missing("task definition", name))
}

/// Registers a new revision. The answer names in `leftOut` which fields were left out.
#[utoipa::path(post, path = "/task-definitions", params(Registering), request_body = Registration, responses((status = 201, body = Object), (status = "4XX", body = Problem)), extensions(("x-action" = json!("taskDefinition:Register"))))]
pub(crate) async fn register(
    _: May<TaskDefinitionRegister>,
    State(api): State<Api>,
    Parameters(how): Parameters<Registering>,
    Body(wish): Body<Value>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (wish, left_out) = ecs::read(wish, how.leave_out)?;
    for container in &wish.container_definitions {
        check_registry(&api, &container.image)?;
    }
    let state = api.state();
    let last = state.latest_task_definition(&wish.family).map_or(0, |last| last.revision);
    let definition = TaskDefinition {
        family: wish.family,
        revision: last + 1,
        container_definitions: wish.container_definitions,
        cpu: wish.cpu.map(|amount| amount.read("cpu")).transpose()?,
        memory: wish.memory.map(|amount| amount.read("memory")).transpose()?,
        registered_at: api.now(),
    };
    api.apply(vec![TaskDefinitionChange::Register(definition.clone()).into()]).await?;
    let mut answer = shape(&definition);
    if !left_out.is_empty() {
        answer["leftOut"] = left_out.into();
    }
    Ok((StatusCode::CREATED, Json(answer)))
}

/// Berth runs images of its own registry only, however people write its address.
pub(crate) fn check_registry(api: &Api, image: &ImageReference) -> Result<(), Problem> {
    let Some(registry) = &image.registry else { return Ok(()) };
    let own = &api.info.registry_address;
    let port = own.rsplit(':').next().unwrap_or_default();
    let loopback = ["localhost", "127.0.0.1", "[::1]"]
        .iter()
        .any(|host| *registry == format!("{host}:{port}"));
    if registry == own || loopback {
        return Ok(());
    }
    let detail = format!(
        "image `{image}` is of registry `{registry}`; Berth runs images of its own registry only: push it there with \
         `docker tag {image} {own}/{} && docker push {own}/{}`",
        image.repository, image.repository
    );
    Err(Problem::invalid(detail))
}

/// The digest of each container's image as its tag is now.
pub(crate) fn resolve(
    api: &Api,
    state: &model::State,
    definition: &TaskDefinition,
) -> Result<BTreeMap<ContainerName, PinnedImage>, Problem> {
    let pin = |container: &ContainerDefinition| {
        let image = &container.image;
        check_registry(api, image)?;
        let digest = match &image.reference {
            Reference::Digest(digest) => *digest,
            Reference::Tag(tag) => state
                .tag(&image.repository, tag)
                .map(|tag| tag.digest)
                .ok_or_else(|| no_image(api, image))?,
        };
        let pinned = PinnedImage { repository: image.repository.clone(), digest };
        Ok((container.name.clone(), pinned))
    };
    definition.container_definitions.iter().map(pin).collect()
}

/// The image is not there: says how to push it.
pub(crate) fn no_image(api: &Api, image: &ImageReference) -> Problem {
    let own = &api.info.registry_address;
    let name = ImageReference { registry: Some(own.clone()), ..image.clone() };
    let plain = ImageReference { registry: None, ..image.clone() };
    let detail = format!(
        "image `{plain}` does not exist in the registry; push it first: `docker push {name}`"
    );
    Problem::not_found("ImageNotFound", detail)
}
