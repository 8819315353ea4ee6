//! Every sentence of a router for people: on its pages, in its reports and in its errors. Nothing is decided on one. With the
//! feature `reworded` all of them come out as other words.
//!
//! They disclose no other hosts, no addresses of targets to clients, and no versions.

use std::fmt::Display;
use std::net::SocketAddr;

use model::HttpMatcher;
use model::sentence::say;

/// The longest part of a path that is repeated to its sender, in characters.
const LONGEST_PATH: usize = 200;

/// Why a request is answered 400, or another 4xx, before its rule is looked for.
pub(crate) mod request {
    use super::say;

    pub(crate) fn no_host() -> String {
        say("The request does not say which host it is for: send a Host header.")
    }

    pub(crate) fn bad_host(host: &str) -> String {
        say(format!(
            "The Host header `{host}` is not a host name or an address with an optional port."
        ))
    }

    pub(crate) fn relative_path(path: &str) -> String {
        say(format!("The path `{path}` does not begin with a slash."))
    }

    pub(crate) fn bad_character(character: &str) -> String {
        say(format!("The path holds `{character}`, which must be percent-encoded."))
    }

    pub(crate) fn ambiguous_character(character: &str) -> String {
        say(format!(
            "The path holds `{character}`, which servers read in different ways: leave it out."
        ))
    }

    pub(crate) fn bad_encoding(text: &str) -> String {
        say(format!(
            "The path holds `{text}`, which is no percent-encoded byte: a percent sign itself is `%25`."
        ))
    }

    pub(crate) fn malformed(what: &str) -> String {
        say(format!("The request cannot be read: {what}."))
    }

    pub(crate) fn long_line(longest: usize) -> String {
        say(format!("The request line is longer than {longest} bytes."))
    }

    pub(crate) fn large_head(headers: usize, line: usize, head: usize) -> String {
        say(format!(
            "The headers are too large: at most {headers} of at most {line} bytes each, {head} together."
        ))
    }

    pub(crate) fn bad_method(method: &str) -> String {
        say(format!("The method {method} is not served here."))
    }

    pub(crate) fn bad_version() -> String {
        say("Only HTTP/1.1 and HTTP/1.0 are spoken here.")
    }

    pub(crate) fn slow() -> String {
        say("The request took too long to arrive.")
    }

    pub(crate) fn unreadable() -> String {
        say("The request cannot be read.")
    }
}

/// Why a request has no answer of a target.
pub(crate) mod routing {
    use super::{LONGEST_PATH, say};

    pub(crate) fn no_table() -> String {
        say("This router has just started and does not know its rules yet.")
    }

    pub(crate) fn no_rule(host: &str, path: &str) -> String {
        say(format!(
            "No rule sends host `{host}` and path `{}` anywhere. Check both against the URL that the service was deployed with.",
            path.chars().take(LONGEST_PATH).collect::<String>()
        ))
    }

    pub(crate) fn no_group() -> String {
        say("The rule for this leads to a target group that is gone.")
    }

    pub(crate) fn none_expected() -> String {
        say("No target is ready to serve this, and none is expected.")
    }

    pub(crate) fn late() -> String {
        say("No target got ready to serve this in time.")
    }

    pub(crate) fn crowded() -> String {
        say("No target is ready to serve this, and too many requests wait for one.")
    }

    pub(crate) fn target_slow() -> String {
        say("The target took too long to answer.")
    }

    pub(crate) fn target_broke_off() -> String {
        say("The target broke off before it had answered. It may have acted on the request.")
    }

    pub(crate) fn router_failed() -> String {
        say("The router could not handle this request.")
    }
}

/// Why a check of a target does not pass.
pub(crate) mod check {
    use super::{Display, HttpMatcher, SocketAddr, say};

    pub(crate) fn of_path(path: &str, why: &str) -> String {
        format!("GET {path}: {why}")
    }

    pub(crate) fn no_address() -> String {
        say("it has no address that this router could reach")
    }

    pub(crate) fn no_answer(seconds: u64) -> String {
        say(format!("no answer within {seconds} s"))
    }

    pub(crate) fn refused(port: u16) -> String {
        say(format!("nothing listens on port {port}"))
    }

    pub(crate) fn no_connection(address: SocketAddr, error: &impl Display) -> String {
        say(format!("no connection to {address}: {error}"))
    }

    pub(crate) fn connection_late(address: SocketAddr) -> String {
        say(format!("no connection to {address} opens"))
    }

    pub(crate) fn connection_broke(error: &impl Display) -> String {
        say(format!("the connection broke before an answer: {error}"))
    }

    pub(crate) fn wrong_status(status: u16, expected: &HttpMatcher) -> String {
        say(format!("answered {status}, expected {expected}"))
    }
}

/// Why a router cannot run.
pub(crate) mod start {
    use super::say;

    pub(crate) fn no_link() -> String {
        say("the link to the server cannot begin")
    }

    pub(crate) fn no_listener() -> String {
        say("the listener cannot be used")
    }

    pub(crate) fn no_host() -> String {
        say("cannot tell which host this is")
    }
}
