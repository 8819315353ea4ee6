//! The OpenAPI document. Each handler says what it takes and what it answers with success; what holds for all of them is
//! said here: who may ask, which problems may be the answer, and where an operation belongs.

use api::ProblemCode;
use axum::http::StatusCode;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityRequirement, SecurityScheme};
use utoipa::openapi::tag::TagBuilder;
use utoipa::openapi::{
    Components, Content, InfoBuilder, License, OpenApi, PathItem, Ref, RefOr, ResponseBuilder,
};

/// The name of the one way to prove who asks.
const TOKEN: &str = "token";

/// What the first part of a path is about, in the order in which readers meet it.
const TAGS: [(&str, &str); 16] = [
    ("status", "How everything is."),
    ("deploy", "From an image to a service that answers, in one request."),
    ("services", "Services keep as many tasks of a task definition running as they should."),
    ("tasks", "Tasks are running copies of a task definition, each on one instance."),
    (
        "task-definitions",
        "Task definitions say which containers run together; a revision never changes.",
    ),
    ("clusters", "Clusters are named pools of instances, with the services and tasks on them."),
    ("instances", "Instances are hosts with an agent."),
    ("routers", "Routers take requests and send them to tasks."),
    ("join-tokens", "Join tokens let an agent or a router join."),
    ("listeners", "Listeners are the ports of the routers."),
    ("target-groups", "Target groups are the places that the traffic of one service can go."),
    ("rules", "Rules say which requests go where."),
    ("repositories", "Repositories hold the images that were pushed."),
    ("tags", "Tags name images of a repository."),
    (
        "image-verification",
        "A verification reads all images and finds those whose bytes have changed on disk.",
    ),
    ("tokens", "Tokens let people and their programs in."),
];
/// What an installation as a whole is asked to do.
const INSTALLATION: (&str, &str) =
    ("down", "The installation as a whole: everything is stopped, cleanly, and comes back.");

/// Completes what the handlers say.
pub(crate) fn complete(document: &mut OpenApi, version: &str) {
    let mut license = License::new("Apache License 2.0");
    license.identifier = Some("Apache-2.0".to_owned());
    let about = "Services, tasks, instances, routing and images of a Berth installation, with the words of ECS, ELB and OCI. \
                 What is refused is answered with a problem document (RFC 9457); its `code` is for programs, its `detail` for \
                 people.";
    document.info = InfoBuilder::new()
        .title("Berth")
        .version(version)
        .description(Some(about))
        .license(Some(license))
        .build();
    let tags = TAGS.into_iter().chain([INSTALLATION]);
    let tag = |(name, about)| TagBuilder::new().name(name).description(Some(about)).build();
    document.tags = Some(tags.map(tag).collect());
    document.security = Some(vec![SecurityRequirement::new(TOKEN, [""; 0])]);
    let components = document.components.get_or_insert_with(Components::new);
    components.security_schemes.insert(TOKEN.to_owned(), RefOr::T(bearer()));
    for status in statuses_of_problems() {
        components.responses.insert(name(status), RefOr::T(problem(status)));
    }
    for (path, item) in &mut document.paths.paths {
        let tag = path.trim_start_matches("/api/v1/").split('/').next().unwrap_or_default();
        for (changes, operation) in operations(item) {
            complete_operation(operation, changes, tag);
        }
    }
}

fn bearer() -> SecurityScheme {
    let mut scheme = Http::new(HttpAuthScheme::Bearer);
    scheme.description =
        Some("A token. The administrator's is in `admin.token` in the data directory.".to_owned());
    SecurityScheme::Http(scheme)
}

/// All statuses that a problem may have, but that of a method that a path does not take: no operation answers it.
fn statuses_of_problems() -> impl Iterator<Item = StatusCode> {
    let mut statuses: Vec<StatusCode> = ProblemCode::ALL.iter().map(|code| code.status()).collect();
    statuses.retain(|status| *status != StatusCode::METHOD_NOT_ALLOWED);
    statuses.sort_unstable();
    statuses.dedup();
    statuses.into_iter()
}

/// A component's name: the words of the status.
fn name(status: StatusCode) -> String {
    status.canonical_reason().unwrap_or_default().split_whitespace().collect()
}

fn problem(status: StatusCode) -> utoipa::openapi::Response {
    let codes = ProblemCode::ALL.iter().filter(|code| code.status() == status);
    let codes: Vec<String> = codes.map(|code| format!("`{code}`")).collect();
    let description =
        format!("{}: {}.", status.canonical_reason().unwrap_or_default(), codes.join(", "));
    let content = Content::new(Some(Ref::from_schema_name("Problem")));
    ResponseBuilder::new()
        .description(description)
        .content("application/problem+json", content)
        .build()
}

/// The operations of a path, each with whether it changes something.
fn operations(item: &mut PathItem) -> impl Iterator<Item = (bool, &mut Operation)> {
    let PathItem { get, put, post, delete, patch, .. } = item;
    let all = [(false, get), (true, put), (true, post), (true, delete), (true, patch)];
    all.into_iter().filter_map(|(changes, operation)| Some((changes, operation.as_mut()?)))
}

fn complete_operation(operation: &mut Operation, changes: bool, tag: &str) {
    operation.tags = Some(vec![tag.to_owned()]);
    let success = operation.summary.clone().unwrap_or_default();
    let responses = &mut operation.responses.responses;
    // The handlers say that there are problems; here stands which.
    responses.retain(|status, _| !status.ends_with("XX"));
    for response in responses.values_mut() {
        if let RefOr::T(response) = response
            && response.description.is_empty()
        {
            response.description.clone_from(&success);
        }
    }
    let possible = statuses_of_problems().filter(|status| may_answer(operation, changes, *status));
    let possible: Vec<StatusCode> = possible.collect();
    for status in possible {
        let response = RefOr::Ref(Ref::from_response_name(name(status)));
        operation.responses.responses.insert(status.as_u16().to_string(), response);
    }
}

/// Whether an operation may be answered with a problem of this status; follows from what it takes and whether it changes
/// something, which another request may do at the same time.
fn may_answer(operation: &Operation, changes: bool, status: StatusCode) -> bool {
    let parameters = || {
        operation.parameters.iter().flatten().filter_map(|parameter| match parameter {
            RefOr::T(parameter) => Some(parameter),
            RefOr::Ref(_) => None,
        })
    };
    let takes = |name: &str| parameters().any(|parameter| parameter.name == name);
    let names_something = |parameter: &Parameter| {
        parameter.parameter_in == ParameterIn::Path
            || (parameter.parameter_in == ParameterIn::Query
                && !["limit", "nextToken"].contains(&parameter.name.as_str()))
    };
    let (has_body, names) = (operation.request_body.is_some(), parameters().any(names_something));
    match status {
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::SERVICE_UNAVAILABLE => true,
        StatusCode::BAD_REQUEST => has_body || parameters().next().is_some(),
        StatusCode::NOT_FOUND => has_body || names,
        StatusCode::CONFLICT => changes || names,
        StatusCode::PRECONDITION_FAILED => takes("If-Match"),
        StatusCode::PAYLOAD_TOO_LARGE => has_body,
        StatusCode::UNPROCESSABLE_ENTITY => takes("Idempotency-Key"),
        _ => false,
    }
}
