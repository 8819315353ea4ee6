//! Repositories and their tags.

use super::{Applied, Write, not_found};
use crate::change::RepositoryChange;
use crate::image::{Repository, Tag, TagKey};
use crate::name::{RepositoryName, TagName};

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
            self.put(repository.clone());
        }
    }

    fn put_tag(&mut self, tag: &Tag) -> Applied {
        if self.state.repository(&tag.repository).is_none() {
            return Err(not_found("repository", &tag.repository));
        }
        if self.state.tag(&tag.repository, &tag.name) != Some(tag) {
            self.put(tag.clone());
        }
        Ok(())
    }

    fn remove_tag(&mut self, repository: &RepositoryName, tag: &TagName) -> Applied {
        let key = TagKey { repository: repository.clone(), name: tag.clone() };
        if !self.remove::<Tag>(key.clone()) {
            return Err(not_found("tag", key));
        }
        Ok(())
    }
}
