//! What the failure of a link means to the supervisor of the role that has it.

use link::client::ClientError;
use supervisor::FailureKind;

/// A peer without a token, or with one or an identity of its own that cannot be, needs people; one that does not reach the
/// server tries again.
pub(super) fn link_failure(error: &ClientError) -> FailureKind {
    match error {
        ClientError::Refused { code, .. } => FailureKind::JoinRefused { code: *code },
        ClientError::WrongServer { .. } => FailureKind::WrongServer,
        ClientError::NotJoined { .. }
        | ClientError::Token(_)
        | ClientError::OtherRole { .. }
        | ClientError::OtherInstallation { .. } => FailureKind::Configuration,
        ClientError::File { .. }
        | ClientError::Damaged { .. }
        | ClientError::Unreachable { .. }
        | ClientError::Answer { .. }
        | ClientError::Tls(_)
        | ClientError::Stopped => FailureKind::Other,
    }
}
