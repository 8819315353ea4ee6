//! Task definitions: ECS's JSON as it is.

use std::collections::BTreeMap;

use api::{
    ListTaskDefinitionsQuery, Page, ProblemCode, RegisterTaskDefinitionQuery,
    RegisterTaskDefinitionRequest, TaskDefinitionReference,
};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use model::{
    ContainerDefinition, ContainerName, ImageReference, PinnedImage, Reference, TaskDefinition,
    TaskDefinitionChange,
};
use serde_json::Value;

use crate::Api;
use crate::ecs;
use crate::idempotency::IdempotencyParameter;
use crate::may::{May, TaskDefinitionGet, TaskDefinitionList, TaskDefinitionRegister};
use crate::page::page;
use crate::problem::Problem;
use crate::request::{Body, Parameters, Path};

/// A definition as ECS describes it.
fn describe(definition: &TaskDefinition) -> api::TaskDefinition {
    api::TaskDefinition {
        task_definition: definition.key(),
        definition: definition.clone(),
        left_out: Vec::new(),
    }
}

/// Task definitions by family and revision.
#[utoipa::path(get, path = "/task-definitions", params(ListTaskDefinitionsQuery), responses((status = 200, body = Page<api::TaskDefinition>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:List"))))]
pub(crate) async fn list(
    _: May<TaskDefinitionList>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTaskDefinitionsQuery>,
) -> Result<Json<Page<api::TaskDefinition>>, Problem> {
    let state = api.state();
    let wanted = state
        .task_definitions()
        .filter(|definition| query.family.as_ref().is_none_or(|one| definition.family == *one));
    let key = |one: &&TaskDefinition| (one.family.clone(), one.revision);
    page(wanted, key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// One task definition: `family:revision`, or `family` for the newest.
#[utoipa::path(get, path = "/task-definitions/{taskDefinition}", params(("taskDefinition" = TaskDefinitionReference, Path)), responses((status = 200, body = api::TaskDefinition), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:Get"))))]
pub(crate) async fn get(
    _: May<TaskDefinitionGet>,
    State(api): State<Api>,
    Path(reference): Path<TaskDefinitionReference>,
) -> Result<Json<api::TaskDefinition>, Problem> {
    Ok(Json(describe(find(&api.state(), &reference)?)))
}

/// The definition that is meant.
pub(crate) fn find<'a>(
    state: &'a model::State,
    reference: &TaskDefinitionReference,
) -> Result<&'a TaskDefinition, Problem> {
    let found = match reference {
        TaskDefinitionReference::Revision(key) => state.task_definition(key),
        TaskDefinitionReference::Latest(family) => state.latest_task_definition(family),
    };
    found.ok_or_else(|| Problem::missing("task definition", &reference.to_string()))
}

/// Registers a new revision. The answer names in `leftOut` which fields were left out.
#[utoipa::path(post, path = "/task-definitions", params(RegisterTaskDefinitionQuery, IdempotencyParameter), request_body = RegisterTaskDefinitionRequest, responses((status = 201, body = api::TaskDefinition), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("taskDefinition:Register"))))]
pub(crate) async fn register(
    _: May<TaskDefinitionRegister>,
    State(api): State<Api>,
    Parameters(query): Parameters<RegisterTaskDefinitionQuery>,
    Body(document): Body<Value>,
) -> Result<(StatusCode, Json<api::TaskDefinition>), Problem> {
    let (request, left_out) = ecs::read(document, query.leave_out)?;
    for container in &request.container_definitions {
        check_registry(&api, &container.image)?;
    }
    let state = api.state();
    let last = state.latest_task_definition(&request.family).map_or(0, |last| last.revision);
    let definition = TaskDefinition {
        family: request.family,
        revision: last + 1,
        container_definitions: request.container_definitions,
        cpu: request.cpu.map(|amount| ecs::number(amount, "cpu")).transpose()?,
        memory: request.memory.map(|amount| ecs::number(amount, "memory")).transpose()?,
        registered_at: api.now(),
    };
    api.apply(vec![TaskDefinitionChange::Register(definition.clone()).into()]).await?;
    let answer = api::TaskDefinition { left_out, ..describe(&definition) };
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
    Problem::new(ProblemCode::ImageNotFound, detail)
}
