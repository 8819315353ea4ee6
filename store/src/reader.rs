//! The half of the store that only reads, for rooms that commit through somebody else.

use std::sync::Arc;

use model::{Epoch, History, HistoryPlace, HistoryQuery, State};
use tokio::sync::watch;

use crate::kv::{Kv, KvError, Range};
use crate::{history, key};

/// Why a row could not be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the store cannot read")]
pub struct ReadError(#[from] KvError);

/// Reads what is committed; clones share it. It has no way to write.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(crate) kv: Arc<dyn Kv>,
    pub(crate) epoch: Epoch,
    pub(crate) state: watch::Receiver<State>,
}

impl Reader {
    /// Which life of the control plane this is.
    pub fn epoch(&self) -> Epoch {
        self.epoch
    }

    /// The state that was published last.
    pub fn state(&self) -> State {
        self.state.borrow().clone()
    }

    /// Every state that is published from now on; the newest is always there.
    pub fn watch(&self) -> watch::Receiver<State> {
        self.state.clone()
    }

    /// A row beside State.
    pub async fn get(&self, key: &[u8]) -> Result<Option<Vec<u8>>, ReadError> {
        Ok(self.kv.get(key::beside(key)).await?)
    }

    /// Rows beside State whose key begins with `prefix`, in key order, behind `after`.
    pub async fn range(
        &self,
        prefix: &[u8],
        after: Option<Vec<u8>>,
        limit: usize,
    ) -> Result<Vec<(Vec<u8>, Vec<u8>)>, ReadError> {
        let after = after.map(|after| key::beside(&after));
        let range = Range { prefix: key::beside(prefix), after, limit, reverse: false };
        let pairs = self.kv.range(range).await?;
        Ok(pairs.into_iter().map(|(key, value)| (key::without_kind(&key), value)).collect())
    }

    /// What happened, newest first.
    pub async fn history(&self, query: HistoryQuery) -> Result<Vec<History>, ReadError> {
        Ok(self.history_page(query).await?.into_iter().map(|(_, row)| row).collect())
    }

    /// What happened, newest first, each row with the place that the next page can begin behind.
    pub async fn history_page(
        &self,
        query: HistoryQuery,
    ) -> Result<Vec<(HistoryPlace, History)>, ReadError> {
        Ok(history::read(self.kv.as_ref(), &query).await?)
    }
}
