//! Task definitions: ECS's documents as they are.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use model::{ContainerDefinition, Family, Revision};
use serde::{Deserialize, Serialize};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{IntoParams, ToSchema};

use crate::page::{Limit, ListQuery, NextToken};

/// A task definition as ECS describes it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TaskDefinition {
    /// `family:revision`.
    pub task_definition: Revision,
    /// What was registered.
    #[serde(flatten)]
    pub definition: model::TaskDefinition,
    /// Where it was just registered: what of it Berth does not have and left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOutField>,
}

/// A field of ECS's that Berth does not have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LeftOutField {
    /// Where it stands in the document, with its name.
    pub field: String,
    /// What was in it that somebody must know: the variables of secrets, the paths of volumes.
    pub holds: Vec<String>,
    /// Whether a container may not start without it, or not as it should.
    pub needed_to_start: bool,
    /// What to do instead, for people, where there is something.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<String>,
}

impl fmt::Display for LeftOutField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`", self.field)?;
        if !self.holds.is_empty() {
            write!(f, ": {}", self.holds.join(", "))?;
        }
        match &self.instead {
            Some(instead) => write!(f, " ({instead})"),
            None => Ok(()),
        }
    }
}

/// ECS's `RegisterTaskDefinition`, as far as Berth has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RegisterTaskDefinitionRequest {
    /// The family that it becomes the next revision of.
    pub family: Family,
    /// Its containers.
    pub container_definitions: Vec<ContainerDefinition>,
    /// CPU units of the whole task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu: Option<Amount>,
    /// MiB of the whole task.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Amount>,
}

/// A number, or a number as text, as ECS writes `cpu` and `memory` of a task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(untagged, expecting = "it is not a number, nor one as text")]
pub enum Amount {
    /// A number.
    Number(u64),
    /// A number as text.
    Text(String),
}

/// How to register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct RegisterTaskDefinitionQuery {
    /// Whether fields of ECS's that Berth does not have are left out, instead of refused.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leave_out: bool,
}

/// Which task definitions.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListTaskDefinitionsQuery {
    /// Only those of this family.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub family: Option<Family>,
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

impl ListQuery for ListTaskDefinitionsQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

/// How people name a task definition: `family:revision`, or `family` for the newest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum TaskDefinitionReference {
    /// The newest of a family.
    Latest(Family),
    /// This one.
    Revision(Revision),
}

/// Text that names no task definition.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TaskDefinitionReferenceError {
    /// Not a family.
    #[error(transparent)]
    Family(#[from] model::NameError),
    /// Not a revision.
    #[error(transparent)]
    Revision(#[from] model::definition::RevisionError),
}

impl utoipa::PartialSchema for TaskDefinitionReference {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let schema = schema.pattern(Some("^[A-Za-z0-9_-]{1,255}(:[1-9][0-9]{0,9})?$"));
        let description = "A task definition: `family:revision`, or `family` for the newest.";
        schema.description(Some(description)).build().into()
    }
}

impl ToSchema for TaskDefinitionReference {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("TaskDefinitionReference")
    }
}

impl FromStr for TaskDefinitionReference {
    type Err = TaskDefinitionReferenceError;

    fn from_str(text: &str) -> Result<Self, TaskDefinitionReferenceError> {
        if text.contains(':') {
            Ok(Self::Revision(text.parse()?))
        } else {
            Ok(Self::Latest(text.parse()?))
        }
    }
}

impl fmt::Display for TaskDefinitionReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Latest(family) => family.fmt(f),
            Self::Revision(revision) => revision.fmt(f),
        }
    }
}

impl TryFrom<String> for TaskDefinitionReference {
    type Error = TaskDefinitionReferenceError;

    fn try_from(text: String) -> Result<Self, TaskDefinitionReferenceError> {
        text.parse()
    }
}

impl From<TaskDefinitionReference> for String {
    fn from(reference: TaskDefinitionReference) -> Self {
        reference.to_string()
    }
}

impl From<Revision> for TaskDefinitionReference {
    fn from(revision: Revision) -> Self {
        Self::Revision(revision)
    }
}
