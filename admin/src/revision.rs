//! Every answer says which revision of the API it is of, so that a client of another one can say what is the matter.

use axum::http::header::{HeaderName, HeaderValue};
use axum::response::Response;

/// Names the revision.
pub(crate) async fn layer(mut response: Response) -> Response {
    let revision = HeaderValue::from_static(api::header::REVISION);
    response.headers_mut().insert(HeaderName::from_static(api::header::API_REVISION), revision);
    response
}
