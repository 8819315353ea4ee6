//! ECS's task definitions as people have them: in a file of their own or as `aws ecs describe-task-definition` prints them.
//!
//! What Berth does not do is refused by name and place, or left out and named where people ask for that; a field of ECS's
//! that says nothing (null is as absent), or nothing but what Berth does anyway, is overlooked. So nothing that somebody
//! wrote is silently dropped. Everything that is wrong is told at once: nobody corrects a file ten times.

use api::{Amount, LeftOutField, RegisterTaskDefinitionRequest, json_cause};
use model::{ContainerDefinition, ImageReference};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use crate::refused::{DeployError, DocumentError, DocumentFault};
use crate::{Setup, resolve};

mod fields;

/// Launch types of ECS. All of them are the same here.
const LAUNCH_TYPES: [&str; 4] = ["EC2", "FARGATE", "EXTERNAL", "MANAGED_INSTANCES"];
/// In one vCPU as well as, in MiB, in one GB of ECS's.
const UNITS: u32 = 1024;

/// What a document says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Definition {
    pub(crate) request: RegisterTaskDefinitionRequest,
    /// CPU units of the whole task.
    pub(crate) cpu: Option<u64>,
    /// MiB of memory of the whole task.
    pub(crate) memory: Option<u64>,
    /// What Berth does not have.
    pub(crate) left_out: Vec<LeftOutField>,
}

/// Reads a definition. Fields that Berth does not have are an error, or left out and told.
pub(crate) fn read(
    setup: &Setup,
    document: Value,
    leave_out: bool,
) -> Result<Definition, DocumentError> {
    let Value::Object(document) = without_nulls(document) else {
        return Err(DocumentError::NotADefinition);
    };
    let mut definition = unwrap(document);
    let mut left_out = Vec::new();
    fields::simplify(&mut definition, &mut left_out);
    let mut faults = Vec::new();
    launch_types(&mut definition, &mut faults);
    check(setup, &definition, &mut faults);
    let cpu = amount(&definition, "cpu", "vcpu", &mut faults);
    let memory = amount(&definition, "memory", "gb", &mut faults);
    if faults.is_empty() && (leave_out || left_out.is_empty()) {
        match serde_path_to_error::deserialize(Value::Object(definition)) {
            Ok(request) => return Ok(Definition { request, cpu, memory, left_out }),
            Err(error) => faults.push(unreadable("", &error)),
        }
    }
    let unsupported = if leave_out { Vec::new() } else { left_out };
    Err(DocumentError::Faulty { faults, unsupported })
}

/// ECS's tools write null for what is absent.
fn without_nulls(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let said = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(said.map(|(name, value)| (name, without_nulls(value))).collect())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(without_nulls).collect()),
        plain @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => plain,
    }
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

fn launch_types(definition: &mut Map<String, Value>, faults: &mut Vec<DocumentFault>) {
    let said = definition.remove("requiresCompatibilities").unwrap_or_default();
    let unknown = said.as_array().into_iter().flatten();
    let unknown = unknown.filter(|said| !LAUNCH_TYPES.iter().any(|known| said == known));
    faults.extend(unknown.map(|said| DocumentFault::LaunchType(said.to_string())));
}

/// Tries each field by itself, so that one that is wrong does not hide another.
fn check(setup: &Setup, definition: &Map<String, Value>, faults: &mut Vec<DocumentFault>) {
    let whole = json!({"family": "any", "containerDefinitions": []});
    let others = definition
        .iter()
        .filter(|(field, value)| !(*field == "containerDefinitions" && value.is_array()));
    each::<RegisterTaskDefinitionRequest>(&whole, others, "", faults);
    missing(&["family", "containerDefinitions"], definition, "", faults);
    let containers = definition.get("containerDefinitions").and_then(Value::as_array);
    for (index, container) in containers.into_iter().flatten().enumerate() {
        let place = format!("containerDefinitions[{index}]");
        let Value::Object(fields) = container else {
            faults.push(DocumentFault::NotAnObject(place));
            continue;
        };
        let place = format!("{place}.");
        let whole = json!({"name": "any", "image": "any"});
        each::<ContainerDefinition>(&whole, fields.iter(), &place, faults);
        missing(&["name", "image"], fields, &place, faults);
        let image = fields.get("image").and_then(Value::as_str);
        let image = image.and_then(|image| image.parse::<ImageReference>().ok());
        if let Some(image) = image
            && let Err(DeployError::ForeignRegistry { image, own }) =
                resolve::check_registry(setup, &image)
        {
            faults.push(DocumentFault::ForeignImage { place: format!("{place}image"), image, own });
        }
    }
}

/// Reads `whole` with each of the fields in turn.
fn each<'a, T: DeserializeOwned>(
    whole: &Value,
    fields: impl Iterator<Item = (&'a String, &'a Value)>,
    place: &str,
    faults: &mut Vec<DocumentFault>,
) {
    for (field, value) in fields {
        let mut whole = whole.clone();
        whole[field] = value.clone();
        if let Err(error) = serde_path_to_error::deserialize::<_, T>(whole) {
            faults.push(unreadable(place, &error));
        }
    }
}

fn missing(
    fields: &[&str],
    object: &Map<String, Value>,
    place: &str,
    faults: &mut Vec<DocumentFault>,
) {
    let missing = fields.iter().filter(|field| !object.contains_key(**field));
    faults.extend(missing.map(|field| DocumentFault::Missing(format!("{place}{field}"))));
}

fn unreadable(place: &str, error: &serde_path_to_error::Error<serde_json::Error>) -> DocumentFault {
    let place = format!("{place}{}", error.path());
    DocumentFault::Unreadable { place, cause: json_cause(error.inner()) }
}

/// A number of the whole task, also where it is text, and also in ECS's larger unit.
fn amount(
    definition: &Map<String, Value>,
    field: &'static str,
    unit: &str,
    faults: &mut Vec<DocumentFault>,
) -> Option<u64> {
    // What is no amount at all has been told.
    let amount = serde_json::from_value(definition.get(field)?.clone()).ok()?;
    let text = match amount {
        Amount::Number(number) => return Some(number),
        Amount::Text(text) => text,
    };
    let read = number(&text, unit);
    if read.is_none() {
        faults.push(DocumentFault::NotAnAmount { field, text });
    }
    read
}

fn number(text: &str, unit: &str) -> Option<u64> {
    let text = text.trim().to_ascii_lowercase();
    let Some(larger) = text.strip_suffix(unit) else { return text.parse().ok() };
    let (whole, part) = match larger.trim().split_once('.') {
        Some(parts) => parts,
        None => (larger.trim(), ""),
    };
    let digits = |text: &str| match text {
        "" => Some(0),
        _ => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse::<u32>().ok())?,
    };
    if whole.is_empty() && part.is_empty() || part.len() > 6 {
        return None;
    }
    // Exact where the part is one of 1024, as ECS's `.25 vCPU` is.
    let scale = 10_u64.pow(u32::try_from(part.len()).ok()?);
    let part = u64::from(digits(part)?) * u64::from(UNITS);
    let whole = u64::from(digits(whole)?) * u64::from(UNITS);
    (part % scale == 0).then_some(whole + part / scale)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_in_both_of_ecs_units() {
        for (text, expected) in [
            ("256", Some(256)),
            (" 256 ", Some(256)),
            ("1 vCPU", Some(1024)),
            ("1vcpu", Some(1024)),
            (".5 vCPU", Some(512)),
            ("0.25 VCPU", Some(256)),
            ("16 vCPU", Some(16_384)),
            ("0.3 vCPU", None),
            ("vCPU", None),
            (". vCPU", None),
            ("-1 vCPU", None),
            ("+1 vCPU", None),
            ("99999999999 vCPU", None),
            ("1 GB", None),
            ("half", None),
            ("", None),
        ] {
            assert_eq!(number(text, "vcpu"), expected, "{text}");
        }
        assert_eq!(number("2 GB", "gb"), Some(2048));
        assert_eq!(number("0.5GB", "gb"), Some(512));
    }
}
