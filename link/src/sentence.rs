//! Every sentence of the link for people. Nothing is decided on one: what code decides on is the variant of an error, or the
//! [`crate::RefusalCode`] beside the sentence. With the feature `reworded` all of them come out as other words.

use std::fmt::Display;
use std::net::IpAddr;
use std::path::Path;

use http::StatusCode;
use model::sentence::say;
use model::{InstanceId, PeerRole, TaskId};

use crate::message::{OLDEST, VERSION};

/// A fixed sentence.
pub(crate) fn plain(sentence: Plain) -> String {
    say(match sentence {
        Plain::AgentsOnly => "only agents send streams",
        Plain::CannotSetUpLinkTls => "cannot set up TLS for the link",
        Plain::CannotSetUpTls => "cannot set up TLS",
        Plain::CannotSign => "cannot make a certificate",
        Plain::CannotUseKey => "cannot use the server's key",
        Plain::CertificateForeign => "the certificate is not one of this server",
        Plain::CertificateMissing => {
            "show the certificate of an instance or router: this listener is for Berth's own roles"
        }
        Plain::CertificateOfAnother => "the new certificate is for another peer",
        Plain::CertificateUnreadable => "the certificate cannot be read",
        Plain::GreetingMissing => "a stream begins with a greeting",
        Plain::HostMissing => {
            "an agent must report its host, and this one does not: is its version too old?"
        }
        Plain::NoServerCertificate => "the server gets no certificate for the link",
        Plain::PeerFrameTooLong => "the peer sent a frame that is too long",
        Plain::PeerFrameUnreadable => "the peer sent a frame that cannot be read",
        Plain::PeerGone => "the peer is gone",
        Plain::PeerReplaced => "the peer has opened another connection",
        Plain::PeerSilent => "the peer was silent for too long",
        Plain::ServerClosed => "the server closed the stream",
        Plain::ServerFrameUnreadable => "the server sent a frame that cannot be read",
        Plain::ServerSilent => "the server was silent for too long",
        Plain::ServerStops => "the server stops",
        Plain::SigningRequestInvalid => "the certificate signing request is not valid",
        Plain::Stopped => "stopped",
        Plain::StoppedJoining => "stopped while joining",
        Plain::StreamBroke => "the stream broke",
        Plain::StreamUnknown => "no request waits for this stream",
        Plain::TokenUnknown => {
            "the join token is not valid; make a new one with `berth instance join-token`"
        }
        Plain::TokenUnreadable => "the join token cannot be read",
        Plain::TookTooLong => "it took too long",
        Plain::ViewUnwritable => "a view cannot be written",
    })
}

/// The sentences that name nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Plain {
    AgentsOnly,
    CannotSetUpLinkTls,
    CannotSetUpTls,
    CannotSign,
    CannotUseKey,
    CertificateForeign,
    CertificateMissing,
    CertificateOfAnother,
    CertificateUnreadable,
    GreetingMissing,
    HostMissing,
    NoServerCertificate,
    PeerFrameTooLong,
    PeerFrameUnreadable,
    PeerGone,
    PeerReplaced,
    PeerSilent,
    ServerClosed,
    ServerFrameUnreadable,
    ServerSilent,
    ServerStops,
    SigningRequestInvalid,
    Stopped,
    StoppedJoining,
    StreamBroke,
    StreamUnknown,
    TokenUnknown,
    TokenUnreadable,
    TookTooLong,
    ViewUnwritable,
}

pub(crate) fn cannot_use_file(path: &Path) -> String {
    say(format!("cannot read or write `{}`", path.display()))
}

pub(crate) fn authority_damaged(path: &Path) -> String {
    say(format!("`{}` does not hold what it should; restore it from a backup", path.display()))
}

pub(crate) fn identity_damaged(path: &Path) -> String {
    say(format!("`{}` is damaged: remove it and join again with a new token", path.display()))
}

pub(crate) fn not_joined(dir: &Path) -> String {
    say(format!(
        "`{}` holds no identity and no join token is given: make one with `berth instance join-token` on the server and \
         pass it in `BERTH_JOIN_TOKEN`",
        dir.display()
    ))
}

pub(crate) fn other_role(dir: &Path, found: &str, role: PeerRole) -> String {
    say(format!(
        "`{}` holds the identity of `{found}`, which is no {role}: give each role a directory of its own",
        dir.display()
    ))
}

pub(crate) fn other_installation(file: &Path) -> String {
    say(format!(
        "`{}` is the identity of another installation than the join token's: remove it to join that one",
        file.display()
    ))
}

pub(crate) fn unreachable(server: &str) -> String {
    say(format!(
        "cannot reach the server at `{server}`: check the address and that `berth server` runs"
    ))
}

pub(crate) fn wrong_server(server: &str) -> String {
    say(format!(
        "the server at `{server}` is not the one that the join token or identity belongs to: check the address, or join \
         with a new token that is made there"
    ))
}

pub(crate) fn refused_by(server: &str, reason: &str) -> String {
    say(format!("the server at `{server}` refuses: {reason}"))
}

pub(crate) fn refused(reason: &str) -> String {
    say(format!("the server refuses: {reason}"))
}

pub(crate) fn answers(status: StatusCode) -> String {
    say(format!("it answers {status}"))
}

pub(crate) fn answer_unreadable(server: &str) -> String {
    say(format!("the answer of the server at `{server}` cannot be read"))
}

pub(crate) fn frame_unexpected(frame: &str) -> String {
    say(format!("the server sent `{frame}` where it should not"))
}

pub(crate) fn token_for_other_role(token: PeerRole, given: PeerRole) -> String {
    say(format!(
        "the join token is for a new {token}, not for a new {given}; make one for it with `berth instance join-token`"
    ))
}

pub(crate) fn no_join_token(prefix: &str) -> String {
    say(format!(
        "this is not a join token: it begins with `{prefix}.` and is one line; make a new one with `berth instance \
         join-token`"
    ))
}

pub(crate) fn removed(peer: &impl Display) -> String {
    say(format!("`{peer}` was removed; remove its `identity.json` and join again with a new token"))
}

pub(crate) fn no_peer(text: &str) -> String {
    say(format!("`{text}` does not name a peer: write `instance/` or `router/` and an id"))
}

pub(crate) fn protocol_too_old(newest: u32) -> String {
    say(format!(
        "the server speaks protocol {OLDEST} to {VERSION} and this peer {newest} at most: upgrade the peer"
    ))
}

pub(crate) fn protocol_too_new(oldest: u32) -> String {
    say(format!(
        "the server speaks protocol {OLDEST} to {VERSION} and this peer {oldest} at least: upgrade the server"
    ))
}

pub(crate) fn address_not_allowed(
    instance: InstanceId,
    advertised: IpAddr,
    source: IpAddr,
) -> String {
    say(format!(
        "it advertises `{advertised}`, but is connected from `{source}`: to allow that, run `berth instance update \
         {instance} --allow-address {advertised}`; or correct the agent's BERTH_AGENT_ADVERTISED_ADDRESS"
    ))
}

pub(crate) fn agent_not_connected(instance: InstanceId) -> String {
    say(format!("the agent of instance `{instance}` is not connected"))
}

pub(crate) fn agent_busy(instance: InstanceId) -> String {
    say(format!("the agent of instance `{instance}` is busy: try again in a moment"))
}

pub(crate) fn agent_late(instance: InstanceId) -> String {
    say(format!("the agent of instance `{instance}` did not answer in time"))
}

pub(crate) fn task_unknown(task: TaskId) -> String {
    say(format!("task `{task}` has containers there and is not known; they are left alone"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_feature_replaces_every_sentence_and_no_name_in_it() {
        let plain = plain(Plain::ServerStops);
        let named = unreachable("10.0.0.1:7071");
        assert_eq!(plain != "the server stops", cfg!(feature = "reworded"));
        assert_eq!(named.starts_with("cannot reach the server"), !cfg!(feature = "reworded"));
        assert!(named.contains("`10.0.0.1:7071`"), "{named}");
    }
}
