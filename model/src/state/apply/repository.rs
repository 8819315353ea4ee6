//! Repositories and their tags.

use std::sync::Arc;

use super::{Applied, Write, not_found};
use crate::change::RepositoryChange;
use crate::image::{Repository, Tag};
use crate::name::{RepositoryName, TagName};
use crate::state::RowKey;

impl Write<'_> {
    pub(super) fn repository(&mut self, change: &RepositoryChange) -> Applied {
        match change {
            RepositoryChange::Create(repository) => {
                self.create_repository(repository);
                Ok(())
            }
            RepositoryChange::PutTag(tag) => self.put_tag(tag),
            RepositoryChange::RemoveTag { repository, tag } => self.remove_tag(repository, tag),
        }
    }

    fn create_repository(&mut self, repository: &Repository) {
        if self.state.repository(&repository.name).is_none() {
            let name = repository.name.clone();
            self.state.repositories.insert_mut(name.clone(), Arc::new(repository.clone()));
            self.touch(RowKey::Repository(name));
        }
    }

    fn put_tag(&mut self, tag: &Tag) -> Applied {
        if self.state.repository(&tag.repository).is_none() {
            return Err(not_found("repository", &tag.repository));
        }
        if self.state.tag(&tag.repository, &tag.name) != Some(tag) {
            let key = (tag.repository.clone(), tag.name.clone());
            self.state.tags.insert_mut(key.clone(), Arc::new(tag.clone()));
            self.touch(RowKey::Tag(key.0, key.1));
        }
        Ok(())
    }

    fn remove_tag(&mut self, repository: &RepositoryName, tag: &TagName) -> Applied {
        let key = (repository.clone(), tag.clone());
        if !self.state.tags.remove_mut(&key) {
            return Err(not_found("tag", format!("{repository}:{tag}")));
        }
        self.touch(RowKey::Tag(key.0, key.1));
        Ok(())
    }
}
