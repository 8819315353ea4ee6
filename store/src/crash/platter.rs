//! A disk in memory that remembers every write and sync, so that its power can be cut at any of them, and that fails on
//! demand.
//!
//! What was synced stays. Of what came after the last sync, any sectors may be there and any may not, in any order, as
//! with a write cache; a write is torn between its sectors, never inside of one.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rand::RngExt as _;
use rand::rngs::StdRng;
use redb::StorageBackend;

/// What a disk writes wholly or not at all.
const SECTOR: usize = 512;

/// The disk; clones share it.
#[derive(Debug, Clone, Default)]
pub(super) struct Platter(Arc<Mutex<Held>>);

#[derive(Debug, Default)]
struct Held {
    /// What it held at first.
    first: Vec<u8>,
    /// What a process reads.
    bytes: Vec<u8>,
    log: Vec<Step>,
    /// How many calls there were.
    calls: usize,
    fault: Option<Fault>,
    /// Whether it says that it has synced and has not.
    lies: bool,
}

#[derive(Debug)]
enum Step {
    Write { offset: usize, data: Vec<u8> },
    SetLen(usize),
    Sync,
}

/// Which calls fail.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// The number of the first one, from 1.
    pub(super) call: usize,
    /// Whether all later ones fail too.
    pub(super) lasts: bool,
}

impl Platter {
    /// One with these bytes on it.
    pub(super) fn holding(bytes: Vec<u8>) -> Self {
        let held = Held { first: bytes.clone(), bytes, ..Held::default() };
        Self(Arc::new(Mutex::new(held)))
    }

    /// An empty one that fails.
    pub(super) fn failing(fault: Fault) -> Self {
        let held = Held { fault: Some(fault), ..Held::default() };
        Self(Arc::new(Mutex::new(held)))
    }

    /// An empty one that says that it has synced and has not.
    pub(super) fn lying() -> Self {
        Self(Arc::new(Mutex::new(Held { lies: true, ..Held::default() })))
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many steps there were.
    pub(super) fn steps(&self) -> usize {
        self.held().log.len()
    }

    /// Whether a call has failed.
    pub(super) fn has_failed(&self) -> bool {
        let held = self.held();
        held.fault.is_some_and(|fault| held.calls >= fault.call)
    }

    /// What a new process reads when only the old one has gone.
    pub(super) fn bytes(&self) -> Vec<u8> {
        self.held().bytes.clone()
    }

    /// What is there when the power goes after so many steps.
    pub(super) fn cut(&self, steps: usize, random: &mut StdRng) -> Vec<u8> {
        let held = self.held();
        let log = &held.log[..steps];
        let synced = log.iter().rposition(|step| matches!(step, Step::Sync)).unwrap_or(0);
        let mut bytes = held.first.clone();
        for step in &log[..synced] {
            step.perform(&mut bytes, || true);
        }
        // From a cache that wrote nothing yet to one that has just been emptied.
        let kept = [0.0, 0.1, 0.5, 0.9, 1.0][random.random_range(0..5)];
        for step in &log[synced..] {
            // Most often a write is there or not; now and then it is torn.
            let whole = random.random_bool(0.7).then(|| random.random_bool(kept));
            step.perform(&mut bytes, || whole.unwrap_or_else(|| random.random_bool(kept)));
        }
        bytes
    }
}

impl Step {
    /// Does of it what `keeps` says, sector by sector.
    fn perform(&self, bytes: &mut Vec<u8>, mut keeps: impl FnMut() -> bool) {
        match self {
            Self::Sync => {}
            Self::SetLen(len) => {
                if keeps() {
                    bytes.resize(*len, 0);
                }
            }
            Self::Write { offset, data } => {
                let mut from = *offset;
                while from < offset + data.len() {
                    let to = ((from / SECTOR + 1) * SECTOR).min(offset + data.len());
                    // Behind the end there is nothing to write to: the longer length was not kept.
                    if keeps() && to <= bytes.len() {
                        bytes[from..to].copy_from_slice(&data[from - offset..to - offset]);
                    }
                    from = to;
                }
            }
        }
    }
}

impl Held {
    /// Performs a step, unless it is its turn to fail: then a write is left half done.
    fn take(&mut self, step: Step) -> io::Result<()> {
        self.calls += 1;
        let fails = self.fault.is_some_and(|Fault { call, lasts }| {
            self.calls == call || (lasts && self.calls > call)
        });
        let step = match step {
            Step::Write { offset, mut data } if fails => {
                data.truncate(data.len() / 2);
                Step::Write { offset, data }
            }
            Step::Sync | Step::SetLen(_) if fails => return Err(broken()),
            Step::Sync if self.lies => return Ok(()),
            Step::Write { offset: _, data: _ } | Step::Sync | Step::SetLen(_) => step,
        };
        step.perform(&mut self.bytes, || true);
        self.log.push(step);
        if fails { Err(broken()) } else { Ok(()) }
    }
}

fn broken() -> io::Error {
    io::Error::other("the disk is broken")
}

fn index(offset: u64) -> usize {
    usize::try_from(offset).expect("memory holds the whole disk")
}

impl StorageBackend for Platter {
    fn len(&self) -> io::Result<u64> {
        Ok(self.held().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let offset = index(offset);
        let held = self.held();
        let bytes = held.bytes.get(offset..offset + out.len());
        out.copy_from_slice(bytes.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.held().take(Step::SetLen(index(len)))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.held().take(Step::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.held().take(Step::Write { offset: index(offset), data: data.to_vec() })
    }
}
