//! The id of a request: in its answer's headers, and in what is remembered of it.

use axum::extract::Request;
use axum::http::header::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::Response;

/// The header of an answer that says it.
const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// In a request's extensions.
#[derive(Debug, Clone)]
pub(crate) struct RequestId(pub(crate) String);

/// Gives each request an id.
pub(crate) async fn layer(mut request: Request, next: Next) -> Response {
    let id = control::request_id(rand::random());
    request.extensions_mut().insert(RequestId(id.clone()));
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&id) {
        // The answer to a repetition has the id of the request that it repeats.
        response.headers_mut().entry(HEADER).or_insert(value);
    }
    response
}
