//! Repositories and tags of the registry.

use api::{ListTagsQuery, Page, PageQuery};
use axum::Json;
use axum::extract::State;

use crate::Api;
use crate::describe::image::{repository, tag};
use crate::may::{May, RepositoryGet, RepositoryList};
use crate::page::page;
use crate::problem::Problem;
use crate::request::Parameters;

/// All repositories.
#[utoipa::path(get, path = "/repositories", params(PageQuery), responses((status = 200, body = Page<api::Repository>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("repository:List"))))]
pub(crate) async fn repositories(
    _: May<RepositoryList>,
    State(api): State<Api>,
    Parameters(query): Parameters<PageQuery>,
) -> Result<Json<Page<api::Repository>>, Problem> {
    let state = api.state();
    let key = |one: &&model::Repository| one.name.clone();
    let describe = |one| repository(&state, one);
    page(state.repositories(), key, query.limit, query.next_token.as_ref(), describe).map(Json)
}

/// The tags of a repository in byte order.
#[utoipa::path(get, path = "/tags", params(ListTagsQuery), responses((status = 200, body = Page<api::Tag>), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("repository:Get"))))]
pub(crate) async fn tags(
    _: May<RepositoryGet>,
    State(api): State<Api>,
    Parameters(query): Parameters<ListTagsQuery>,
) -> Result<Json<Page<api::Tag>>, Problem> {
    let state = api.state();
    if state.repository(&query.repository).is_none() {
        return Err(Problem::missing("repository", query.repository.as_str()));
    }
    let key = |one: &&model::Tag| one.name.clone();
    let tags = state.tags(&query.repository);
    page(tags, key, query.limit, query.next_token.as_ref(), tag).map(Json)
}
