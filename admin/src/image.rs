//! Repositories and tags of the registry.

use api::{LastImageVerification, ListTagsQuery, Page, PageQuery};
use axum::Json;
use axum::extract::State;
use control::{GetImageVerification, ListRepositories, ListTags, VerifyImages};

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

/// How far a verification of all images is.
#[utoipa::path(get, path = "/image-verification", operation_id = "GetImageVerification", responses((status = 200, body = LastImageVerification), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:GetImageVerification"))))]
pub(crate) async fn verification(
    who: Authorized<GetImageVerification>,
    State(api): State<Api>,
) -> Result<Json<LastImageVerification>, Problem> {
    who.execute(&api, GetImageVerification).await?;
    Ok(Json(LastImageVerification { verification: api.images.verification() }))
}

/// Begins to read all images and to compare them with their digests, slowly; goes on where one goes on already.
#[utoipa::path(post, path = "/image-verification", operation_id = "VerifyImages", responses((status = 200, body = LastImageVerification), (status = "4XX", body = api::Problem)), extensions(("x-action" = json!("installation:VerifyImages"))))]
pub(crate) async fn verify(
    who: Authorized<VerifyImages>,
    State(api): State<Api>,
) -> Result<Json<LastImageVerification>, Problem> {
    who.execute(&api, VerifyImages).await?;
    api.images.verify().await.map_err(Problem::unavailable)?;
    Ok(Json(LastImageVerification { verification: api.images.verification() }))
}
