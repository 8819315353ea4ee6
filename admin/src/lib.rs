//! What people call: the REST API, its OpenAPI document and the event stream.
