//! A disk that fails where a test wants it to, and remembers what it was asked for in which order.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::disk_room::DiskRoom;
use super::step::Step;

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failing: Option<(Step, io::ErrorKind)>,
    room: Option<DiskRoom>,
    journal: Vec<String>,
}

impl Faults {
    fn inner(&self) -> std::sync::MutexGuard<'_, Inner> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on every such step fails.
    pub(crate) fn fail(&self, step: Step, kind: io::ErrorKind) {
        self.inner().failing = Some((step, kind));
    }

    /// Nothing fails any more, and the disk has the room that it has.
    pub(crate) fn heal(&self) {
        let mut inner = self.inner();
        (inner.failing, inner.room) = (None, None);
    }

    /// From now on the disk has so many bytes left.
    pub(crate) fn leave(&self, free: u64, low_water: u64) {
        self.inner().room = Some(DiskRoom { total: 1 << 40, free, low_water });
    }

    pub(super) fn room(&self) -> Option<DiskRoom> {
        self.inner().room
    }

    /// Notes what happened elsewhere, in order with the steps.
    pub(crate) fn note(&self, what: &str) {
        self.inner().journal.push(what.to_owned());
    }

    /// What happened since it was asked last.
    pub(crate) fn journal(&self) -> Vec<String> {
        std::mem::take(&mut self.inner().journal)
    }

    pub(super) fn step(&self, step: Step) -> io::Result<()> {
        self.note(&format!("{step:?}"));
        match self.inner().failing {
            Some((failing, kind)) if failing == step => Err(kind.into()),
            Some(_) | None => Ok(()),
        }
    }
}
