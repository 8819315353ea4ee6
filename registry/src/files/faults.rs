//! A disk that fails where a test wants it to, and remembers what it was asked for in which order.

use std::io;
use std::sync::{Mutex, PoisonError};

use super::step::Step;

#[derive(Debug, Default)]
pub(crate) struct Faults(Mutex<Inner>);

#[derive(Debug, Default)]
struct Inner {
    failing: Option<(Step, io::ErrorKind)>,
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

    /// Nothing fails any more.
    pub(crate) fn heal(&self) {
        self.inner().failing = None;
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
