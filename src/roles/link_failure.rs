//! What the failure of a link means to the supervisor of the role that has it.

use link::client::ClientError;
use supervisor::FailureKind;

/// A peer that was not let in needs another token or another identity; one that only does not reach the server tries again.
pub(super) fn link_failure(error: &ClientError) -> FailureKind {
    match error {
        ClientError::NotJoined { .. }
        | ClientError::Token(_)
        | ClientError::OtherInstallation { .. }
        | ClientError::WrongServer { .. }
        | ClientError::Refused { .. } => FailureKind::JoinRefused,
        ClientError::OtherRole { .. }
        | ClientError::File { .. }
        | ClientError::Damaged { .. }
        | ClientError::Unreachable { .. }
        | ClientError::Answer { .. }
        | ClientError::Tls(_)
        | ClientError::Stopped => FailureKind::Other,
    }
}
