//! Every kind of entity that State keeps, declared once: its table, its rows, its key and what finds it.
//!
//! A new kind is a type, a line here, and the Changes that make it. Its tables, the keys and values of its rows, and its
//! accessors on State follow from the line.

use std::borrow::Borrow;
use std::fmt::{self, Display};
use std::str::FromStr;
use std::sync::Arc;

use rpds::RedBlackTreeMapSync;
use serde::Serialize;

use super::index::Index;
use crate::access::{Credential, JoinToken};
use crate::cluster::{Cluster, Installation, Instance, Router};
use crate::definition::{Revision, TaskDefinition};
use crate::id::{
    CredentialId, DeploymentId, InstanceId, JoinTokenId, ListenerId, RouterId, RuleId, ServiceId,
    ServiceRevisionId, StateRevision, TargetGroupId, TaskId,
};
use crate::image::{Repository, Tag, TagKey};
use crate::name::{ClusterName, RepositoryName};
use crate::routing::{Listener, Rule, TargetGroup};
use crate::row::{self, RowError, Schema, json};
use crate::service::{Deployment, Service, ServiceRevision};
use crate::task::Task;

/// The entities of one kind by key.
pub(super) type Table<E> = RedBlackTreeMapSync<<E as Entity>::Key, Arc<E>>;

/// What the control plane decides on, at one revision. Cloning is constant time: clones share what they agree in, so a
/// reader keeps a consistent snapshot for as long as it likes.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct State {
    pub(super) revision: StateRevision,
    pub(super) tables: Tables,
    pub(super) index: Index,
}

/// A kind of entity that State keeps.
pub(super) trait Entity: Clone + PartialEq + Serialize + 'static {
    /// Tells one from the others; its text is a part of the key of its row.
    type Key: Clone + Ord + Display + FromStr;

    /// The schemas of its rows, oldest first.
    const SCHEMAS: &'static [Schema<Self>];

    /// The key of this one.
    fn key(&self) -> Self::Key;

    /// The row of the entity with this key.
    fn row_key(key: Self::Key) -> RowKey;

    /// Where they are kept.
    fn table(tables: &Tables) -> &Table<Self>;

    /// Where they are kept.
    fn table_mut(tables: &mut Tables) -> &mut Table<Self>;

    /// Keeps up what finds them by something else than their key.
    fn index(index: &mut Index, before: Option<&Self>, after: Option<&Self>);
}

/// The declaration of all kinds of entities: one line says the type, what one and all of them are called on State, the
/// name of the kind in the keys of rows, its key and the schemas of its rows.
macro_rules! entities {
    ($(
        $entity:ident as $table:ident $([$one:ident($argument:ty)])?, row $row:literal,
        key $key:ty = $key_of:expr, schemas $schemas:expr $(, index $index:path)?;
    )+) => {
        /// Names a row. Written as `kind/key`, which is also its key in the store.
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[expect(missing_docs, reason = "each variant is named after the entity whose row it is")]
        pub enum RowKey {
            $($entity($key),)+
        }

        impl RowKey {
            /// Every kind of row: the name of the kind in its keys, and the schemas that its rows may be in.
            #[cfg(test)]
            pub(super) fn kinds() -> Vec<(&'static str, Vec<u8>)> {
                vec![$((
                    $row,
                    <$entity as Entity>::SCHEMAS.iter().map(|(number, _)| *number).collect(),
                ),)+]
            }
        }

        impl fmt::Display for RowKey {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$entity(key) => write!(f, "{}/{key}", $row),)+
                }
            }
        }

        impl FromStr for RowKey {
            type Err = RowError;

            fn from_str(text: &str) -> Result<Self, RowError> {
                let read = || {
                    let (kind, key) = text.split_once('/')?;
                    Some(match kind {
                        $($row => Self::$entity(key.parse().ok()?),)+
                        _ => return None,
                    })
                };
                read().ok_or_else(|| RowError::UnknownKey(text.chars().take(200).collect()))
            }
        }

        /// Every entity, by kind and key.
        #[derive(Debug, Clone, Default, PartialEq)]
        pub(super) struct Tables {
            $(pub(super) $table: Table<$entity>,)+
        }

        $(impl Entity for $entity {
            type Key = $key;

            const SCHEMAS: &'static [Schema<Self>] = &$schemas;

            fn key(&self) -> $key {
                let key_of: fn(&Self) -> $key = $key_of;
                key_of(self)
            }

            fn row_key(key: $key) -> RowKey {
                RowKey::$entity(key)
            }

            fn table(tables: &Tables) -> &Table<Self> {
                &tables.$table
            }

            fn table_mut(tables: &mut Tables) -> &mut Table<Self> {
                &mut tables.$table
            }

            fn index(_index: &mut Index, _before: Option<&Self>, _after: Option<&Self>) {
                $($index(_index, _before, _after);)?
            }
        })+

        impl State {
            $($(
                #[doc = concat!("The ", $row, " with this key.")]
                pub fn $one(&self, key: $argument) -> Option<&$entity> {
                    self.get::<$entity>(<$argument as Borrow<$key>>::borrow(&key))
                }

                #[doc = concat!("Every ", $row, " in the order of their keys; of ids that is oldest first.")]
                pub fn $table(&self) -> impl Iterator<Item = &$entity> {
                    self.all::<$entity>()
                }
            )?)+

            /// A row's value as it is now; None when the entity is gone, so that its row goes too.
            pub fn row(&self, key: &RowKey) -> Option<Vec<u8>> {
                match key {
                    $(RowKey::$entity(key) => self.encoded::<$entity>(key),)+
                }
            }

            /// Every row that State has.
            pub fn row_keys(&self) -> Vec<RowKey> {
                let mut keys = Vec::new();
                $(keys.extend(self.tables.$table.keys().cloned().map(RowKey::$entity));)+
                keys
            }

            /// Takes a row in.
            pub(super) fn load(&mut self, key: &str, value: &[u8]) -> Result<(), RowError> {
                match &key.parse()? {
                    $(RowKey::$entity(own) => self.put::<$entity>(decode(own, key, value)?),)+
                }
                Ok(())
            }
        }

        /// A row in the newest schema of its kind; None where it has that already.
        pub fn newest_form(key: &str, value: &[u8]) -> Result<Option<Vec<u8>>, RowError> {
            match &key.parse()? {
                $(RowKey::$entity(own) => newest_form_of::<$entity>(own, key, value),)+
            }
        }
    };
}

entities! {
    Installation as installations, row "installation",
        key OnlyOne = |_| OnlyOne, schemas [(0, json), (1, json)];
    Cluster as clusters [cluster(&ClusterName)], row "cluster",
        key ClusterName = |it| it.name.clone(), schemas [(0, json), (1, json)];
    Instance as instances [instance(InstanceId)], row "instance",
        key InstanceId = |it| it.id, schemas [(0, json), (1, json)];
    Router as routers [router(RouterId)], row "router",
        key RouterId = |it| it.id, schemas [(0, json), (1, json)];
    Credential as credentials [credential(CredentialId)], row "credential",
        key CredentialId = |it| it.id, schemas [(0, json), (1, json)], index Index::credentials;
    JoinToken as join_tokens [join_token(JoinTokenId)], row "join-token",
        key JoinTokenId = |it| it.id, schemas [(0, json), (1, json)];
    TaskDefinition as task_definitions [task_definition(&Revision)], row "task-definition",
        key Revision = TaskDefinition::key, schemas [(0, json), (1, json)];
    Service as services [service(ServiceId)], row "service",
        key ServiceId = |it| it.id, schemas [(2, json)], index Index::services;
    ServiceRevision as service_revisions [service_revision(ServiceRevisionId)], row "service-revision",
        key ServiceRevisionId = |it| it.id, schemas [(2, json)], index Index::service_revisions;
    Deployment as deployments [deployment(DeploymentId)], row "deployment",
        key DeploymentId = |it| it.id, schemas [(2, json)], index Index::deployments;
    Task as tasks [task(TaskId)], row "task",
        key TaskId = |it| it.id, schemas [(0, json), (1, json)], index Index::tasks;
    Listener as listeners [listener(ListenerId)], row "listener",
        key ListenerId = |it| it.id, schemas [(0, json), (1, json)];
    TargetGroup as target_groups [target_group(TargetGroupId)], row "target-group",
        key TargetGroupId = |it| it.id, schemas [(0, json), (1, json), (2, json)];
    Rule as rules [rule(RuleId)], row "rule",
        key RuleId = |it| it.id, schemas [(0, json), (1, json)];
    Repository as repositories [repository(&RepositoryName)], row "repository",
        key RepositoryName = |it| it.name.clone(), schemas [(0, json), (1, json)];
    Tag as tags, row "tag",
        key TagKey = Tag::key, schemas [(0, json), (1, json)];
}

/// The key of a kind of which there is only one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct OnlyOne;

impl Display for OnlyOne {
    fn fmt(&self, _: &mut fmt::Formatter<'_>) -> fmt::Result {
        Ok(())
    }
}

impl FromStr for OnlyOne {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        text.is_empty().then_some(Self).ok_or(())
    }
}

impl State {
    /// The entity with this key.
    pub(super) fn get<E: Entity>(&self, key: &E::Key) -> Option<&E> {
        E::table(&self.tables).get(key).map(Arc::as_ref)
    }

    /// All of a kind.
    pub(super) fn all<E: Entity>(&self) -> impl Iterator<Item = &E> {
        E::table(&self.tables).values().map(Arc::as_ref)
    }

    /// Takes an entity in, in the place of the one that has its key.
    pub(super) fn put<E: Entity>(&mut self, entity: E) {
        let key = entity.key();
        let table = E::table_mut(&mut self.tables);
        E::index(&mut self.index, table.get(&key).map(Arc::as_ref), Some(&entity));
        table.insert_mut(key, Arc::new(entity));
    }

    /// Lets an entity go; whether it was there.
    pub(super) fn remove<E: Entity>(&mut self, key: &E::Key) -> bool {
        let table = E::table_mut(&mut self.tables);
        let Some(known) = table.get(key) else { return false };
        E::index(&mut self.index, Some(known), None);
        table.remove_mut(key)
    }

    fn encoded<E: Entity>(&self, key: &E::Key) -> Option<Vec<u8>> {
        Some(row::encode(self.get::<E>(key)?, E::SCHEMAS))
    }
}

/// The entity in a row, which must be the one that the row's key names.
fn decode<E: Entity>(own: &E::Key, key: &str, value: &[u8]) -> Result<E, RowError> {
    let entity = row::decode(key, value, E::SCHEMAS)?;
    let owner = entity.key();
    if owner != *own {
        let owner = E::row_key(owner).to_string();
        return Err(RowError::Misplaced { key: key.to_owned(), owner });
    }
    Ok(entity)
}

fn newest_form_of<E: Entity>(
    own: &E::Key,
    key: &str,
    value: &[u8],
) -> Result<Option<Vec<u8>>, RowError> {
    if row::is_newest(value, E::SCHEMAS) {
        return Ok(None);
    }
    Ok(Some(row::encode(&decode::<E>(own, key, value)?, E::SCHEMAS)))
}
