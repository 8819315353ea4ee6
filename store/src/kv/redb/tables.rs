//! The tables of a store's file.

use redb::TableDefinition;

use crate::kv::KvError;

pub(super) const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("kv");
pub(super) const META: TableDefinition<'_, &str, u64> = TableDefinition::new("meta");

pub(super) fn failed(error: impl Into<redb::Error>) -> KvError {
    KvError::Failed(error.into().to_string())
}
