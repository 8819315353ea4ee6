//! Why a role cannot start its link.

use std::io;
use std::path::PathBuf;

use crate::refusal::RefusalCode;
use crate::sentence::{self, Plain, plain};
use crate::token::JoinTokenError;

/// Why a role cannot start.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// It has never joined and has nothing to join with.
    #[error("{}", sentence::not_joined(dir))]
    NotJoined {
        /// The role's directory.
        dir: PathBuf,
    },
    /// The join token is not one.
    #[error("{}", plain(Plain::TokenUnreadable))]
    Token(#[source] JoinTokenError),
    /// The directory belongs to another role.
    #[error("{}", sentence::other_role(dir, found, *role))]
    OtherRole {
        /// The role's directory.
        dir: PathBuf,
        /// Whose identity is there.
        found: String,
        /// What it should be.
        role: model::PeerRole,
    },
    /// The directory and the join token belong to two installations.
    #[error("{}", sentence::other_installation(file))]
    OtherInstallation {
        /// The identity.
        file: PathBuf,
    },
    /// A file of the identity cannot be read or written.
    #[error("{}", sentence::cannot_use_file(path))]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The identity is there and cannot be used.
    #[error("{}", sentence::identity_damaged(path))]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Nothing answers at the server's address.
    #[error("{}", sentence::unreachable(server))]
    Unreachable {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Another server answers than the one that the token or the identity belongs to.
    #[error("{}", sentence::wrong_server(server))]
    WrongServer {
        /// The address.
        server: String,
        /// The error of TLS.
        #[source]
        source: io::Error,
    },
    /// The server refuses the join.
    #[error("{}", sentence::refused_by(server, reason))]
    Refused {
        /// The address.
        server: String,
        /// What code decides on.
        code: RefusalCode,
        /// Its sentence, for people.
        reason: String,
    },
    /// The server's answer cannot be read.
    #[error("{}", sentence::answer_unreadable(server))]
    Answer {
        /// The address.
        server: String,
        /// Why.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// TLS, keys or the HTTP client cannot be set up.
    #[error("{}", plain(Plain::CannotSetUpTls))]
    Tls(#[source] Box<dyn std::error::Error + Send + Sync>),
    /// Shutdown began while it joined.
    #[error("{}", plain(Plain::StoppedJoining))]
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
