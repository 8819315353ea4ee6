//! Changes of task definitions.

use serde::{Deserialize, Serialize};

use crate::definition::TaskDefinition;

/// What may happen to a family of task definitions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum TaskDefinitionChange {
    /// A new revision: one more than the family's last, else refused.
    Register(TaskDefinition),
}
