//! Repositories and tags of the registry.

use axum::Json;
use axum::extract::State;
use model::RepositoryName;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::Api;
use crate::may::{May, RepositoryGet, RepositoryList};
use crate::problem::Problem;
use crate::request::Parameters;
use crate::shape::image::{RepositoryShape, TagShape};

/// All repositories.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Repositories {
    repositories: Vec<RepositoryShape>,
}

/// All repositories.
#[utoipa::path(get, path = "/repositories", responses((status = 200, body = Repositories), (status = "4XX", body = Problem)), extensions(("x-action" = json!("repository:List"))))]
pub(crate) async fn repositories(
    _: May<RepositoryList>,
    State(api): State<Api>,
) -> Json<Repositories> {
    let state = api.state();
    let shape = |one| RepositoryShape::of(&state, one);
    Json(Repositories { repositories: state.repositories().map(shape).collect() })
}

/// Which repository; its name may hold slashes.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub(crate) struct Which {
    #[param(value_type = String)]
    repository: RepositoryName,
}

/// The tags of a repository in byte order.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tags {
    tags: Vec<TagShape>,
}

/// The tags of a repository.
#[utoipa::path(get, path = "/tags", params(Which), responses((status = 200, body = Tags), (status = "4XX", body = Problem)), extensions(("x-action" = json!("repository:Get"))))]
pub(crate) async fn tags(
    _: May<RepositoryGet>,
    State(api): State<Api>,
    Parameters(which): Parameters<Which>,
) -> Result<Json<Tags>, Problem> {
    let state = api.state();
    if state.repository(&which.repository).is_none() {
        return Err(Problem::missing("repository", which.repository.as_str()));
    }
    Ok(Json(Tags { tags: state.tags(&which.repository).map(TagShape::of).collect() }))
}
