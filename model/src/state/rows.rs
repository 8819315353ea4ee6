//! State as rows: one JSON document with named fields per entity, so that a field may come later without a migration, behind
//! a byte with the number of its schema. A row of before there were numbers is the document alone.
//!
//! State rebuilds from its rows alone; whatever can be derived is not in them.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{State, Table};
use crate::definition::Revision;
use crate::id::{
    CredentialId, DeploymentId, InstanceId, JoinTokenId, ListenerId, RouterId, RuleId, ServiceId,
    StateRevision, TargetGroupId, TaskId,
};
use crate::name::{ClusterName, RepositoryName, TagName};

/// The schema number of the rows that are written. Numbers go up to 31, below what a JSON document begins with.
const SCHEMA: u8 = 1;

/// Names a row. Written as `kind/key`, which is also its key in the store.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "each variant is named after the entity whose row it is")]
pub enum RowKey {
    Installation,
    Cluster(ClusterName),
    Instance(InstanceId),
    Router(RouterId),
    Credential(CredentialId),
    JoinToken(JoinTokenId),
    TaskDefinition(Revision),
    Service(ServiceId),
    Deployment(DeploymentId),
    Task(TaskId),
    Listener(ListenerId),
    TargetGroup(TargetGroupId),
    Rule(RuleId),
    Repository(RepositoryName),
    Tag(RepositoryName, TagName),
}

/// A row that cannot be read: the store is damaged, or newer than this program.
#[derive(Debug, thiserror::Error)]
pub enum RowError {
    /// A key of a kind that this version does not know.
    #[error("the store holds a row `{0}` that this version of Berth does not know")]
    UnknownKey(String),
    /// A value of a schema that this version does not know.
    #[error(
        "row `{key}` of the store has schema {schema}, which this version of Berth does not know"
    )]
    UnknownSchema {
        /// Its key.
        key: String,
        /// The number that it begins with.
        schema: u8,
    },
    /// A value that this version cannot read.
    #[error("row `{key}` of the store cannot be read")]
    Unreadable {
        /// Its key.
        key: String,
        /// What is wrong with it.
        #[source]
        source: serde_json::Error,
    },
}

impl fmt::Display for RowKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Installation => f.write_str("installation/"),
            Self::Cluster(name) => write!(f, "cluster/{name}"),
            Self::Instance(id) => write!(f, "instance/{id}"),
            Self::Router(id) => write!(f, "router/{id}"),
            Self::Credential(id) => write!(f, "credential/{id}"),
            Self::JoinToken(id) => write!(f, "join-token/{id}"),
            Self::TaskDefinition(key) => write!(f, "task-definition/{key}"),
            Self::Service(id) => write!(f, "service/{id}"),
            Self::Deployment(id) => write!(f, "deployment/{id}"),
            Self::Task(id) => write!(f, "task/{id}"),
            Self::Listener(id) => write!(f, "listener/{id}"),
            Self::TargetGroup(id) => write!(f, "target-group/{id}"),
            Self::Rule(id) => write!(f, "rule/{id}"),
            Self::Repository(name) => write!(f, "repository/{name}"),
            Self::Tag(repository, tag) => write!(f, "tag/{repository}:{tag}"),
        }
    }
}

impl FromStr for RowKey {
    type Err = RowError;

    fn from_str(text: &str) -> Result<Self, RowError> {
        let read = || {
            let (kind, key) = text.split_once('/')?;
            Some(match kind {
                "installation" => Self::Installation,
                "cluster" => Self::Cluster(key.parse().ok()?),
                "instance" => Self::Instance(key.parse().ok()?),
                "router" => Self::Router(key.parse().ok()?),
                "credential" => Self::Credential(key.parse().ok()?),
                "join-token" => Self::JoinToken(key.parse().ok()?),
                "task-definition" => Self::TaskDefinition(key.parse().ok()?),
                "service" => Self::Service(key.parse().ok()?),
                "deployment" => Self::Deployment(key.parse().ok()?),
                "task" => Self::Task(key.parse().ok()?),
                "listener" => Self::Listener(key.parse().ok()?),
                "target-group" => Self::TargetGroup(key.parse().ok()?),
                "rule" => Self::Rule(key.parse().ok()?),
                "repository" => Self::Repository(key.parse().ok()?),
                "tag" => {
                    let (repository, tag) = key.rsplit_once(':')?;
                    Self::Tag(repository.parse().ok()?, tag.parse().ok()?)
                }
                _ => return None,
            })
        };
        read().ok_or_else(|| RowError::UnknownKey(text.chars().take(200).collect()))
    }
}

fn json<T: Serialize>(value: Option<&T>) -> Option<Vec<u8>> {
    let mut row = vec![SCHEMA];
    serde_json::to_writer(&mut row, value?).expect("entities have string keys only");
    Some(row)
}

/// The newest form of a row; None where it has that already.
pub fn newest_form(key: &str, value: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
    if value.first() == Some(&SCHEMA) {
        return Ok(None);
    }
    let row: RowKey = key.parse()?;
    let mut state = State::default();
    state.load(&row, key, value)?;
    Ok(state.row(&row))
}

impl State {
    /// A row's value as it is now; None when the entity is gone, so that its row goes too.
    pub fn row(&self, key: &RowKey) -> Option<Vec<u8>> {
        match key {
            RowKey::Installation => json(self.installation.as_ref()),
            RowKey::Cluster(name) => json(self.cluster(name)),
            RowKey::Instance(id) => json(self.instance(*id)),
            RowKey::Router(id) => json(self.router(*id)),
            RowKey::Credential(id) => json(self.credential(*id)),
            RowKey::JoinToken(id) => json(self.join_token(*id)),
            RowKey::TaskDefinition(key) => json(self.task_definition(key)),
            RowKey::Service(id) => json(self.service(*id)),
            RowKey::Deployment(id) => json(self.deployment(*id)),
            RowKey::Task(id) => json(self.task(*id)),
            RowKey::Listener(id) => json(self.listener(*id)),
            RowKey::TargetGroup(id) => json(self.target_group(*id)),
            RowKey::Rule(id) => json(self.rule(*id)),
            RowKey::Repository(name) => json(self.repository(name)),
            RowKey::Tag(repository, tag) => json(self.tag(repository, tag)),
        }
    }

    /// Every row that State has.
    pub fn row_keys(&self) -> Vec<RowKey> {
        let mut keys: Vec<RowKey> = Vec::new();
        keys.extend(self.installation.map(|_| RowKey::Installation));
        keys.extend(self.clusters.keys().cloned().map(RowKey::Cluster));
        keys.extend(self.instances.keys().copied().map(RowKey::Instance));
        keys.extend(self.routers.keys().copied().map(RowKey::Router));
        keys.extend(self.credentials.keys().copied().map(RowKey::Credential));
        keys.extend(self.join_tokens.keys().copied().map(RowKey::JoinToken));
        keys.extend(self.definitions.keys().cloned().map(RowKey::TaskDefinition));
        keys.extend(self.services.keys().copied().map(RowKey::Service));
        keys.extend(self.deployments.keys().copied().map(RowKey::Deployment));
        keys.extend(self.tasks.keys().copied().map(RowKey::Task));
        keys.extend(self.listeners.keys().copied().map(RowKey::Listener));
        keys.extend(self.target_groups.keys().copied().map(RowKey::TargetGroup));
        keys.extend(self.rules.keys().copied().map(RowKey::Rule));
        keys.extend(self.repositories.keys().cloned().map(RowKey::Repository));
        keys.extend(
            self.tags.keys().cloned().map(|(repository, tag)| RowKey::Tag(repository, tag)),
        );
        keys
    }

    /// State from its rows, at the revision that the store has committed.
    pub fn from_rows<'a>(
        revision: StateRevision,
        rows: impl IntoIterator<Item = (&'a str, &'a [u8])>,
    ) -> Result<Self, RowError> {
        let mut state = Self { revision, ..Self::default() };
        for (key, value) in rows {
            state.load(&key.parse()?, key, value)?;
        }
        state.rebuild_index();
        Ok(state)
    }

    fn load(&mut self, key: &RowKey, text: &str, value: &[u8]) -> Result<(), RowError> {
        let row = Row { text, value };
        match key {
            RowKey::Installation => self.installation = Some(row.read()?),
            RowKey::Cluster(key) => row.put(&mut self.clusters, key.clone())?,
            RowKey::Instance(key) => row.put(&mut self.instances, *key)?,
            RowKey::Router(key) => row.put(&mut self.routers, *key)?,
            RowKey::Credential(key) => row.put(&mut self.credentials, *key)?,
            RowKey::JoinToken(key) => row.put(&mut self.join_tokens, *key)?,
            RowKey::TaskDefinition(key) => row.put(&mut self.definitions, key.clone())?,
            RowKey::Service(key) => row.put(&mut self.services, *key)?,
            RowKey::Deployment(key) => row.put(&mut self.deployments, *key)?,
            RowKey::Task(key) => row.put(&mut self.tasks, *key)?,
            RowKey::Listener(key) => row.put(&mut self.listeners, *key)?,
            RowKey::TargetGroup(key) => row.put(&mut self.target_groups, *key)?,
            RowKey::Rule(key) => row.put(&mut self.rules, *key)?,
            RowKey::Repository(key) => row.put(&mut self.repositories, key.clone())?,
            RowKey::Tag(repository, tag) => {
                row.put(&mut self.tags, (repository.clone(), tag.clone()))?;
            }
        }
        Ok(())
    }

    fn rebuild_index(&mut self) {
        for service in self.services.values() {
            self.index.add_service(service);
        }
        for task in self.tasks.values() {
            self.index.add_task(task);
        }
        for credential in self.credentials.values() {
            self.index.credential_hashes.insert_mut(credential.hash, credential.id);
        }
    }
}

struct Row<'a> {
    text: &'a str,
    value: &'a [u8],
}

impl Row<'_> {
    fn read<V: DeserializeOwned>(&self) -> Result<V, RowError> {
        let document = match self.value {
            [SCHEMA, document @ ..] => document,
            [schema @ 1..=31, ..] => {
                let key = self.text.to_owned();
                return Err(RowError::UnknownSchema { key, schema: *schema });
            }
            document => document,
        };
        serde_json::from_slice(document)
            .map_err(|source| RowError::Unreadable { key: self.text.to_owned(), source })
    }

    fn put<K: Ord, V: DeserializeOwned>(
        &self,
        table: &mut Table<K, V>,
        key: K,
    ) -> Result<(), RowError> {
        table.insert_mut(key, Arc::new(self.read()?));
        Ok(())
    }
}
