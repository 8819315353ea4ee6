//! Why a role ended, as it leaves it for its supervisor: a JSON document in `run/ROLE.failure`, there until the role starts
//! again. Code decides on its kind; its message is for people.

use std::io::{self, ErrorKind};
use std::path::Path;

use link::RefusalCode;
use serde::{Deserialize, Serialize};

/// Why a role ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RoleFailure {
    /// What code decides on.
    #[serde(flatten)]
    pub kind: FailureKind,
    /// The error with its causes, for people.
    pub message: String,
}

/// What made a role end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind")]
pub enum FailureKind {
    /// Its configuration cannot be used.
    Configuration,
    /// Another program listens on an address that it needs.
    AddressInUse,
    /// Another process has this role in the data directory.
    DataDirectoryTaken,
    /// The server does not let it join or come back.
    JoinRefused {
        /// Why.
        code: RefusalCode,
    },
    /// The server is not the one that its join token or identity is of.
    WrongServer,
    /// The store cannot be opened or written.
    StoreUnavailable,
    /// Docker does not answer.
    DockerUnreachable,
    /// Anything else, and whatever a version that this one does not know has left.
    #[serde(other)]
    Other,
}

impl RoleFailure {
    /// What a role has left; None where it has left nothing.
    pub(crate) fn read(path: &Path) -> Option<Self> {
        let text = std::fs::read_to_string(path).ok()?;
        Some(Self::parse(&text))
    }

    /// Leaves it for whoever started the role.
    pub(crate) fn write(&self, path: &Path) -> io::Result<()> {
        let text = serde_json::to_vec(self).expect("a kind and a text can always be written");
        disk::write(path, &text, 0o600)
    }

    /// Takes away what an earlier process has left.
    pub(crate) fn remove(path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }

    /// A version before this one left the message alone.
    fn parse(text: &str) -> Self {
        serde_json::from_str(text)
            .unwrap_or_else(|_| Self { kind: FailureKind::Other, message: text.trim().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_is_read_as_it_was_left() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("agent.failure");
        assert_eq!(RoleFailure::read(&path), None);
        let failure = RoleFailure {
            kind: FailureKind::DockerUnreachable,
            message: "Docker does not answer".to_owned(),
        };
        failure.write(&path).unwrap();
        assert_eq!(RoleFailure::read(&path), Some(failure));
        RoleFailure::remove(&path).unwrap();
        RoleFailure::remove(&path).unwrap();
        assert_eq!(RoleFailure::read(&path), None);
    }

    #[test]
    fn its_kind_is_a_word_and_its_message_stands_beside_it() {
        let failure =
            RoleFailure { kind: FailureKind::AddressInUse, message: "it is taken".to_owned() };
        let text = serde_json::to_string(&failure).unwrap();
        assert_eq!(text, r#"{"kind":"AddressInUse","message":"it is taken"}"#);
        let kind = FailureKind::JoinRefused { code: RefusalCode::TokenExpired };
        let text = serde_json::to_string(&RoleFailure { kind, message: "no".to_owned() }).unwrap();
        assert_eq!(text, r#"{"kind":"JoinRefused","code":"TokenExpired","message":"no"}"#);
        assert_eq!(RoleFailure::parse(&text).kind, kind);
    }

    #[test]
    fn what_another_version_left_is_told_all_the_same() {
        let other =
            |message: &str| RoleFailure { kind: FailureKind::Other, message: message.to_owned() };
        let before = "the agent cannot run: the join token is not valid\n";
        assert_eq!(RoleFailure::parse(before), other(before.trim()));
        let after = r#"{"kind":"DiskFull","message":"the disk is full","device":"sda"}"#;
        assert_eq!(RoleFailure::parse(after), other("the disk is full"));
    }
}
