//! One message of a kind per address or peer and minute: what others can repeat must not fill a log.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::{Instant, sleep};

/// How long one that was told stands for those that follow.
const PERIOD: Duration = Duration::from_mins(1);
/// Senders and kinds that are told apart; all beyond them count as one.
const MOST: usize = 1_024;

/// What was told of each sender, by address where nothing else is said, and how often it was not.
#[derive(Debug)]
pub struct Seldom<S = IpAddr>(Mutex<HashMap<(&'static str, Option<S>), Told>>);

#[derive(Debug)]
struct Told {
    until: Instant,
    untold: u64,
}

/// How many messages there were since the last one that was told: written behind a message, and nothing where there were none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Untold(u64);

impl fmt::Display for Untold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => Ok(()),
            count => write!(f, " ({count} more since the last line)"),
        }
    }
}

impl<S> Default for Seldom<S> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<S: Copy + Eq + Hash> Seldom<S> {
    /// Whether a message of this kind about this sender is due; then, how many there were since the last one.
    pub fn tell(&self, kind: &'static str, sender: S) -> Option<Untold> {
        // The deadline of a sleep is the only clock that is needed: the runtime's, which no one sets.
        let next = sleep(PERIOD).deadline();
        let now = next - PERIOD;
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut key = (kind, Some(sender));
        if all.len() >= MOST && !all.contains_key(&key) {
            all.retain(|_, told| now < told.until);
            if all.len() >= MOST {
                key.1 = None;
            }
        }
        match all.get_mut(&key) {
            Some(told) if now < told.until => {
                told.untold += 1;
                None
            }
            Some(told) => {
                told.until = next;
                Some(Untold(std::mem::take(&mut told.untold)))
            }
            None => {
                all.insert(key, Told { until: next, untold: 0 });
                Some(Untold(0))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(n: u32) -> IpAddr {
        IpAddr::V4(n.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_message_is_told_once_a_minute_and_counts_those_that_were_not() {
        let seldom = Seldom::default();
        assert_eq!(seldom.tell("join", address(1)), Some(Untold(0)));
        for _ in 0..5 {
            assert_eq!(seldom.tell("join", address(1)), None);
        }
        assert_eq!(seldom.tell("renew", address(1)), Some(Untold(0)), "another kind");
        assert_eq!(seldom.tell("join", address(2)), Some(Untold(0)), "another address");
        sleep(PERIOD).await;
        assert_eq!(seldom.tell("join", address(1)), Some(Untold(5)));
        assert_eq!(seldom.tell("join", address(1)), None);
    }

    #[tokio::test(start_paused = true)]
    async fn many_addresses_take_no_more_memory_than_some() {
        let seldom = Seldom::default();
        let told = (0..10_000).filter(|n| seldom.tell("join", address(*n)).is_some()).count();
        assert_eq!(told, MOST + 1, "all others count as one");
        assert_eq!(seldom.0.lock().unwrap().len(), MOST + 1);
    }
}
