//! Task definitions.

use super::{Applied, Write};
use crate::change::TaskDefinitionChange;
use crate::definition::{Revision, TaskDefinition};
use crate::refusal::Refusal;

impl Write<'_> {
    pub(super) fn task_definition(&mut self, change: &TaskDefinitionChange) -> Applied {
        match change {
            TaskDefinitionChange::Register(definition) => self.register_definition(definition),
        }
    }

    fn register_definition(&mut self, definition: &TaskDefinition) -> Applied {
        let family = definition.family.clone();
        definition
            .check()
            .map_err(|source| Refusal::Definition { family: family.to_string(), source })?;
        let last = self.state.latest_task_definition(&family).map_or(0, |last| last.revision);
        let next = Revision { family, number: last + 1 };
        let given = definition.key();
        if given != next {
            return Err(Refusal::NotNext { given, next });
        }
        self.put(definition.clone());
        Ok(())
    }
}
