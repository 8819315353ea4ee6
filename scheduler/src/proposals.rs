//! What a step of a plan proposes.

use model::{Change, Timestamp};

/// Changes, and when to plan again even if nothing has changed by then.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Proposals {
    /// In their order. The Changes of a group only make sense together: they share a batch.
    pub(crate) groups: Vec<Vec<Change>>,
    /// When what was just decided may be decided otherwise; what has passed counts for nothing.
    pub(crate) wakes: Vec<Timestamp>,
}

impl Proposals {
    /// One Change.
    pub(crate) fn one(change: impl Into<Change>) -> Self {
        Self::together(vec![change.into()])
    }

    /// Changes that share a batch.
    pub(crate) fn together(changes: Vec<Change>) -> Self {
        Self { groups: vec![changes], wakes: Vec::new() }
    }

    /// No Change before then.
    pub(crate) fn wake(at: Timestamp) -> Self {
        Self { groups: Vec::new(), wakes: vec![at] }
    }

    /// These, and then the others.
    #[must_use]
    pub(crate) fn and(mut self, others: Self) -> Self {
        self.groups.extend(others.groups);
        self.wakes.extend(others.wakes);
        self
    }

    /// How many Changes these are.
    pub(crate) fn count(&self) -> usize {
        self.groups.iter().map(Vec::len).sum()
    }
}

impl FromIterator<Proposals> for Proposals {
    fn from_iter<T: IntoIterator<Item = Self>>(all: T) -> Self {
        all.into_iter().fold(Self::default(), Self::and)
    }
}

impl<C: Into<Change>> FromIterator<C> for Proposals
where
    Change: From<C>,
{
    fn from_iter<T: IntoIterator<Item = C>>(changes: T) -> Self {
        changes.into_iter().map(Self::one).collect()
    }
}
