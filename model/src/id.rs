//! Stable ids. Each entity has a type of its own, so that a swapped argument does not compile.
//!
//! An id is a UUID version 7, written as 32 lowercase hex digits as ECS writes task ids; ids made later sort later.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::time::Timestamp;

/// Text that is not 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct IdError {
    pub(crate) text: String,
}

/// Digits of an id that name it at least: fewer would soon name several.
const SHORTEST_PREFIX: usize = 4;
/// Digits of an id.
const DIGITS: usize = 32;

/// How people name what has an id: by all of it, or by the first digits, where only one begins with them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct IdPrefix(String);

/// Text that is not 4 to 32 hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct IdPrefixError {
    pub(crate) text: String,
}

impl IdPrefix {
    /// The id, where it is given in full.
    pub fn id<T: FromStr>(&self) -> Option<T> {
        self.0.parse().ok()
    }

    /// Whether the id begins with it.
    pub fn begins(&self, id: &impl fmt::Display) -> bool {
        id.to_string().starts_with(&self.0)
    }
}

impl FromStr for IdPrefix {
    type Err = IdPrefixError;

    fn from_str(text: &str) -> Result<Self, IdPrefixError> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if is_hex && (SHORTEST_PREFIX..=DIGITS).contains(&text.len()) {
            return Ok(Self(text.to_ascii_lowercase()));
        }
        Err(IdPrefixError { text: text.chars().take(80).collect() })
    }
}

impl fmt::Display for IdPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for IdPrefix {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdPrefix {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Uuid);

        impl $name {
            /// A new id: `now` orders it, `random` makes it unique.
            pub fn new(now: Timestamp, random: [u8; 10]) -> Self {
                let millis = u64::try_from(now.as_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(&self.0.as_simple(), f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0.as_simple())
            }
        }

        impl FromStr for $name {
            type Err = IdError;

            fn from_str(text: &str) -> Result<Self, IdError> {
                let wrong = || IdError { text: text.chars().take(80).collect() };
                if text.len() != 32 {
                    return Err(wrong());
                }
                let id = Uuid::try_parse(text).ok().ok_or_else(wrong)?;
                Ok(Self(id))
            }
        }

        impl From<$name> for IdPrefix {
            fn from(id: $name) -> Self {
                Self(id.to_string())
            }
        }

        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )+};
}

ids! {
    /// One set-up of Berth: one store, one CA. In every Docker label, so that installations leave each other alone.
    InstallationId,
    /// A cluster.
    ClusterId,
    /// A host with an agent (ECS: container instance).
    InstanceId,
    /// A running router.
    RouterId,
    /// A service.
    ServiceId,
    /// All that a deployment of a service rolls out.
    ServiceRevisionId,
    /// One roll-out of a service.
    DeploymentId,
    /// One running copy of a task definition.
    TaskId,
    /// The places that one service's traffic can go.
    TargetGroupId,
    /// A port of the router.
    ListenerId,
    /// Conditions with a priority and an action.
    RuleId,
    /// A secret that proves who somebody is.
    CredentialId,
    /// A secret that lets a new host join.
    JoinTokenId,
}

/// Which life of the control plane speaks: new at each server start, leadership and restore. Orders before the revision.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct Epoch(pub u64);

/// Which state: one more with each batch of changes that was applied.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize,
)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(transparent)]
pub struct StateRevision(pub u64);

impl StateRevision {
    /// The revision after this one.
    #[must_use]
    pub const fn next(self) -> Self {
        Self(self.0 + 1)
    }
}

impl fmt::Display for StateRevision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_32_hex_digits_and_sort_by_time() {
        let early = TaskId::new(Timestamp::from_millis(1_000), [0xff; 10]);
        let late = TaskId::new(Timestamp::from_millis(2_000), [0; 10]);
        assert!(early < late);
        assert_eq!(early.to_string().len(), 32);
        assert_eq!(early.to_string().parse::<TaskId>().unwrap(), early);
    }

    #[test]
    fn what_is_not_an_id_is_refused_with_the_text() {
        let error = "hello".parse::<TaskId>().unwrap_err();
        assert_eq!(error.text, "hello");
    }
}
