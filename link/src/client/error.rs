//! Why a role cannot start its link.

use std::io;
use std::path::PathBuf;

use crate::refusal::RefusalCode;
use crate::token::JoinTokenError;

/// Why a role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It has never joined and has nothing to join with.
    #[error(
        "`{}` holds no identity and no join token is given: make one with `berth instance join-token` on the server and pass it in `BERTH_JOIN_TOKEN`",
        dir.display()
    )]
    NotJoined {
        /// The role's directory.
        dir: PathBuf,
    },
    /// The join token is not one.
    #[error("the join token cannot be read")]
    Token(#[source] JoinTokenError),
    /// The directory belongs to another role.
    #[error("`{}` holds the identity of `{found}`, which is no {role}: give each role a directory of its own", dir.display())]
    OtherRole {
        /// The role's directory.
        dir: PathBuf,
        /// Whose identity is there.
        found: String,
        /// What it should be.
        role: model::PeerRole,
    },
    /// The directory and the join token belong to two installations.
    #[error(
        "`{}` is the identity of another installation than the join token's: remove it to join that one",
        file.display()
    )]
    OtherInstallation {
        /// The identity.
        file: PathBuf,
    },
    /// A file of the identity cannot be read or written.
    #[error("cannot read or write `{}`", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The identity is there and cannot be used.
    #[error("`{}` is damaged: remove it and join again with a new token", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing answers at the server's address.
    #[error(
        "cannot reach the server at `{server}`: check the address and that `berth server` runs"
    )]
    Unreachable {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another server answers than the one that the token or the identity belongs to.
    #[error(
        "the server at `{server}` is not the one that the join token or identity belongs to: check the address, or join with a new token that is made there"
    )]
    WrongServer {
        /// The address.
        server: String,
        /// The error of TLS.
        #[source]
        source: io::Error,
    },
    /// The server refuses the join.
    #[error("the server at `{server}` refuses: {reason}")]
    Refused {
        /// The address.
        server: String,
        /// What code decides on.
        code: RefusalCode,
        /// Its sentence, for people.
        reason: String,
    },
    /// The server's answer cannot be read.
    #[error("the answer of the server at `{server}` cannot be read")]
    Answer {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS, keys or the HTTP client cannot be set up.
    #[error("cannot set up TLS")]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// It was told to stop while it joined.
    #[error("stopped while joining")]
    Stopped,
}

impl ClientError {
    /// Why the server refused, if that is what happened.
    pub const fn refusal(&self) -> Option<RefusalCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::NotJoined { .. }
            | Self::Token(_)
            | Self::OtherRole { .. }
            | Self::OtherInstallation { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Unreachable { .. }
            | Self::WrongServer { .. }
            | Self::Answer { .. }
            | Self::Tls(_)
            | Self::Stopped => None,
        }
    }

    /// Whether joining may succeed with another join token: there is none, it cannot be read, it belongs to another server,
    /// or the server does not take it.
    pub fn needs_new_token(&self) -> bool {
        match self {
            Self::NotJoined { .. } | Self::Token(_) | Self::WrongServer { .. } => true,
            Self::Refused { code, .. } => code.needs_new_token(),
            Self::OtherRole { .. }
            | Self::OtherInstallation { .. }
            | Self::File { .. }
            | Self::Damaged { .. }
            | Self::Unreachable { .. }
            | Self::Answer { .. }
            | Self::Tls(_)
            | Self::Stopped => false,
        }
    }
}
