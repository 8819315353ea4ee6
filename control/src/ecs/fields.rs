//! What ECS's definitions hold that Berth does not have: what it means for a container that it goes, and what was in it.

use api::LeftOutField;
use serde_json::{Map, Value};

use crate::sentence;

/// Whether a container may not start, or not as it should, without the field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Need {
    ToStart,
    Extra,
}

use Need::{Extra, ToStart};

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
const NOT_HERE: [(&str, Need); 12] = [
    ("networkMode", Extra),
    ("taskRoleArn", Extra),
    // A container needs what its mount points name, and says so there.
    ("volumes", Extra),
    ("placementConstraints", Extra),
    ("tags", Extra),
    ("pidMode", ToStart),
    ("ipcMode", ToStart),
    ("proxyConfiguration", Extra),
    ("inferenceAccelerators", ToStart),
    ("ephemeralStorage", Extra),
    ("enableFaultInjection", Extra),
    ("runtimePlatform", ToStart),
];

/// Fields of ECS's container definition that Berth does not have.
const NOT_IN_CONTAINERS: [(&str, Need); 29] = [
    ("mountPoints", ToStart),
    ("volumesFrom", ToStart),
    ("links", ToStart),
    ("secrets", ToStart),
    ("dependsOn", ToStart),
    ("startTimeout", Extra),
    ("hostname", Extra),
    ("domainname", Extra),
    ("disableNetworking", Extra),
    ("privileged", ToStart),
    ("dnsServers", ToStart),
    ("dnsSearchDomains", ToStart),
    ("extraHosts", ToStart),
    ("dockerSecurityOptions", Extra),
    ("dockerLabels", Extra),
    ("interactive", Extra),
    ("pseudoTerminal", Extra),
    ("ulimits", ToStart),
    ("logConfiguration", Extra),
    ("healthCheck", Extra),
    ("systemControls", ToStart),
    ("resourceRequirements", ToStart),
    ("firelensConfiguration", Extra),
    ("environmentFiles", ToStart),
    // Berth's registry alone gives images.
    ("repositoryCredentials", Extra),
    ("linuxParameters", ToStart),
    ("credentialSpecs", ToStart),
    ("containerPortRange", ToStart),
    ("versionConsistency", Extra),
];

/// Fields of a port mapping that Berth does not have.
const NOT_IN_MAPPINGS: [(&str, Need); 2] =
    [("appProtocol", Extra), ("containerPortRange", ToStart)];

/// Takes out what says nothing here, and what Berth does not have, which is named.
pub(super) fn simplify(definition: &mut Map<String, Value>, left_out: &mut Vec<LeftOutField>) {
    for field in DESCRIPTION {
        definition.remove(field);
    }
    if let Some(platform) = definition.get("runtimePlatform")
        && platform.get("operatingSystemFamily").is_none_or(|family| family == "LINUX")
    {
        // The image's own platforms decide where it runs.
        definition.remove("runtimePlatform");
    }
    let mode = definition.get("networkMode").and_then(Value::as_str);
    // The containers of a task share one address here as they do there.
    let awsvpc = mode == Some("awsvpc");
    if awsvpc || mode == Some("bridge") {
        definition.remove("networkMode");
    }
    take_out(definition, &NOT_HERE, "", left_out);
    if let Some(Value::Array(containers)) = definition.get_mut("containerDefinitions") {
        for (index, container) in containers.iter_mut().enumerate() {
            if let Value::Object(container) = container {
                simplify_container(container, index, awsvpc, left_out);
            }
        }
    }
}

fn simplify_container(
    container: &mut Map<String, Value>,
    index: usize,
    awsvpc: bool,
    left_out: &mut Vec<LeftOutField>,
) {
    let place = format!("containerDefinitions[{index}].");
    if container.get("versionConsistency").is_some_and(|word| word == "enabled") {
        // A deployment is pinned to digests anyway.
        container.remove("versionConsistency");
    }
    take_out(container, &NOT_IN_CONTAINERS, &place, left_out);
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
        take_out(mapping, &NOT_IN_MAPPINGS, &place, left_out);
    }
}

/// Removes fields, and names those that said something.
fn take_out(
    object: &mut Map<String, Value>,
    fields: &[(&str, Need)],
    place: &str,
    left_out: &mut Vec<LeftOutField>,
) {
    for (field, need) in fields {
        let Some(value) = object.remove(*field).filter(|value| !says_nothing(value)) else {
            continue;
        };
        left_out.push(LeftOutField {
            field: format!("{place}{field}"),
            holds: holds(field, &value),
            needed_to_start: *need == ToStart,
            instead: sentence::instead(field),
        });
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

/// What somebody must know of a field that goes: the variables of secrets, the paths of volumes, plain text as it is.
fn holds(field: &str, value: &Value) -> Vec<String> {
    let part = match field {
        "secrets" | "volumes" | "resourceRequirements" | "ulimits" => "name",
        "mountPoints" => "containerPath",
        "environmentFiles" => "value",
        "volumesFrom" => "sourceContainer",
        "dependsOn" => "containerName",
        "extraHosts" => "hostname",
        "systemControls" => "namespace",
        _ => "",
    };
    let texts = value.as_array().into_iter().flatten().map(|item| {
        let named = item.get(part).or_else(|| item.get("type")).unwrap_or(item);
        named.as_str().map(str::to_owned)
    });
    match value {
        Value::String(text) => vec![text.clone()],
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => {
            texts.flatten().collect()
        }
    }
}
