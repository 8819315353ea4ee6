//! ECS's task definitions as people have them: in a file of their own or as `aws ecs describe-task-definition` prints them.
//!
//! What Berth does not do is refused by name and place, all of it at once, or left out and named where people ask for that;
//! a field of ECS's that says nothing, or nothing but what Berth does anyway, is overlooked. So nothing that somebody wrote
//! is silently dropped.

use api::{Amount, RegisterTaskDefinitionRequest};
use serde_json::{Map, Value};

use crate::refused::{DocumentError, UnsupportedField};
use crate::sentence;

/// Fields that only describe a definition: whatever they hold, registering one does not need them.
const DESCRIPTION: [&str; 11] = [
    "taskDefinition",
    "leftOut",
    "taskDefinitionArn",
    "status",
    "revision",
    "registeredAt",
    "registeredBy",
    "deregisteredAt",
    "requiresAttributes",
    "compatibilities",
    // What ECS's own agent may do; Berth's needs no role.
    "executionRoleArn",
];

/// Fields of ECS's task definition that Berth does not have.
const NOT_HERE: [&str; 11] = [
    "taskRoleArn",
    "volumes",
    "placementConstraints",
    "tags",
    "pidMode",
    "ipcMode",
    "proxyConfiguration",
    "inferenceAccelerators",
    "ephemeralStorage",
    "enableFaultInjection",
    "runtimePlatform",
];

/// Fields of ECS's container definition that Berth does not have.
const NOT_IN_CONTAINERS: [&str; 29] = [
    "mountPoints",
    "volumesFrom",
    "links",
    "secrets",
    "dependsOn",
    "startTimeout",
    "hostname",
    "domainname",
    "disableNetworking",
    "privileged",
    "dnsServers",
    "dnsSearchDomains",
    "extraHosts",
    "dockerSecurityOptions",
    "dockerLabels",
    "interactive",
    "pseudoTerminal",
    "ulimits",
    "logConfiguration",
    "healthCheck",
    "systemControls",
    "resourceRequirements",
    "firelensConfiguration",
    "environmentFiles",
    "repositoryCredentials",
    "linuxParameters",
    "credentialSpecs",
    "containerPortRange",
    "versionConsistency",
];

/// A number, also where it is text.
pub(crate) fn number(amount: &Amount, field: &'static str) -> Result<u64, DocumentError> {
    match amount {
        Amount::Number(number) => Ok(*number),
        Amount::Text(text) => {
            let number = text.trim().parse().ok();
            number.ok_or_else(|| DocumentError::NotANumber { field, text: text.clone() })
        }
    }
}

/// Reads a definition; errors name the place in it. Fields that Berth does not have are an error, or left out and told.
pub(crate) fn read(
    document: Value,
    leave_out: bool,
) -> Result<(RegisterTaskDefinitionRequest, Vec<String>), DocumentError> {
    let Value::Object(document) = document else {
        return Err(DocumentError::NotADefinition);
    };
    let mut definition = unwrap(document);
    let mut unsupported = Vec::new();
    let awsvpc = simplify(&mut definition, &mut unsupported)?;
    if let Some(Value::Array(containers)) = definition.get_mut("containerDefinitions") {
        for (index, container) in containers.iter_mut().enumerate() {
            if let Value::Object(container) = container {
                simplify_container(container, index, awsvpc, &mut unsupported);
            }
        }
    }
    if !unsupported.is_empty() && !leave_out {
        return Err(DocumentError::Unsupported(unsupported));
    }
    let definition = Value::Object(definition);
    let definition = serde_path_to_error::deserialize(definition).map_err(|error| {
        let place = error.path().to_string();
        DocumentError::UnreadableDefinition { place, cause: error.inner().to_string() }
    })?;
    let shown = unsupported.iter().map(sentence::unsupported).collect();
    Ok((definition, shown))
}

/// `aws ecs describe-task-definition` prints a definition inside an object, with its tags beside it.
fn unwrap(mut document: Map<String, Value>) -> Map<String, Value> {
    match document.remove("taskDefinition") {
        Some(Value::Object(mut inner)) => {
            inner.extend(document);
            inner
        }
        _ => document,
    }
}

/// Takes out what says nothing here; whether its network mode was `awsvpc`.
fn simplify(
    definition: &mut Map<String, Value>,
    unsupported: &mut Vec<UnsupportedField>,
) -> Result<bool, DocumentError> {
    for field in DESCRIPTION {
        definition.remove(field);
    }
    if let Some(platform) = definition.get("runtimePlatform")
        && platform.get("operatingSystemFamily").is_none_or(|family| family == "LINUX")
    {
        // The image's own platforms decide where it runs.
        definition.remove("runtimePlatform");
    }
    let launch_types = definition.remove("requiresCompatibilities").unwrap_or_default();
    for launch_type in launch_types.as_array().into_iter().flatten() {
        if !["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"].iter().any(|one| launch_type == one)
        {
            return Err(DocumentError::LaunchType(launch_type.to_string()));
        }
    }
    let mode = definition.remove("networkMode").unwrap_or_default();
    let awsvpc = match mode.as_str() {
        None if mode.is_null() => false,
        Some("bridge") => false,
        // The containers of a task share one address here as they do there.
        Some("awsvpc") => true,
        _ => {
            return Err(DocumentError::NetworkMode(mode.to_string()));
        }
    };
    take_out(definition, &NOT_HERE, "", unsupported);
    Ok(awsvpc)
}

fn simplify_container(
    container: &mut Map<String, Value>,
    index: usize,
    awsvpc: bool,
    unsupported: &mut Vec<UnsupportedField>,
) {
    let place = format!("containerDefinitions[{index}].");
    if container.get("versionConsistency").is_some_and(|word| word == "enabled") {
        // A deployment is pinned to digests anyway.
        container.remove("versionConsistency");
    }
    take_out(container, &NOT_IN_CONTAINERS, &place, unsupported);
    let mappings = container.get_mut("portMappings").and_then(Value::as_array_mut);
    for (number, mapping) in mappings.into_iter().flatten().enumerate() {
        let Value::Object(mapping) = mapping else { continue };
        if mapping.get("appProtocol").is_some_and(|protocol| protocol == "http") {
            mapping.remove("appProtocol");
        }
        // In this mode the host port can only be the container's own port on the task's own address.
        if awsvpc && mapping.get("hostPort") == mapping.get("containerPort") {
            mapping.remove("hostPort");
        }
        let place = format!("{place}portMappings[{number}].");
        take_out(mapping, &["appProtocol", "containerPortRange"], &place, unsupported);
    }
}

/// Removes fields, and names those that said something.
fn take_out(
    object: &mut Map<String, Value>,
    fields: &[&str],
    place: &str,
    unsupported: &mut Vec<UnsupportedField>,
) {
    for field in fields {
        if object.remove(*field).is_some_and(|value| !says_nothing(&value)) {
            let (place, field) = (format!("{place}{field}"), (*field).to_owned());
            unsupported.push(UnsupportedField { place, field });
        }
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => false,
        Value::Number(number) => number.as_f64() == Some(0.0),
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
    }
}
