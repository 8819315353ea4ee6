//! Repositories and tags of the registry.

use api::{ListTagsQuery, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::{ListRepositories, ListTags};

use crate::Api;
use crate::authorized::Authorized;
use crate::problem::Problem;
use crate::request::Parameters;

/// All repositories.
#[utoipa::path(get, path = "/repositories", operation_id = "ListRepositories", params(PageQuery), responses((status = 200, body = Page<api::Repository>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("repository:List"))))]
pub(crate) async fn repositories(
    who: Authorized<ListRepositories>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Repository>>, Problem> {
    who.execute(&api, ListRepositories(query)).await.map(Json)
}

/// The tags of a repository in byte order.
#[utoipa::path(get, path = "/tags", operation_id = "ListTags", params(ListTagsQuery), responses((status = 200, body = Page<api::Tag>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("repository:Get"))))]
pub(crate) async fn tags(
    who: Authorized<ListTags>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTagsQuery>,
) -> Result<Json<Page<api::Tag>>, Problem> {
    who.execute(&api, ListTags(query)).await.map(Json)
}
