//! Every sentence of the admin API about a request that is none, and about who asks; what `control` refuses says itself why.
//! Nothing decides on one: with the feature `reworded` all of them come out as other words.

use std::fmt::Display;

use model::sentence::say;

pub(crate) fn no_credential() -> String {
    say(
        "this needs a token: send the header `Authorization: Bearer TOKEN`; the administrator's token is in `admin.token` \
         in the data directory",
    )
}

pub(crate) fn wrong_credential() -> String {
    say(
        "the token is not valid: it is mistyped, revoked or over; the administrator's token is in `admin.token` in the \
         data directory",
    )
}

pub(crate) fn no_such_path() -> String {
    say(
        "there is nothing at this path; the API lives under /api/v1 and is described at /api/v1/openapi.json",
    )
}

pub(crate) fn method_not_allowed() -> String {
    say("this path does not take that method; see /api/v1/openapi.json")
}

pub(crate) fn body_too_large() -> String {
    say("the body is larger than 1 MiB")
}

pub(crate) fn body_unreadable(cause: &str) -> String {
    say(format!("the body cannot be read: {cause}"))
}

pub(crate) fn query_unreadable(cause: &str) -> String {
    say(format!("the query cannot be read: {cause}"))
}

/// `place` is where in the body; empty for all of it.
pub(crate) fn wrong_body(place: &str, cause: &str) -> String {
    match place {
        "" => say(format!("the body is not what this takes: {cause}")),
        _ => say(format!("the body is not what this takes at `{place}`: {cause}")),
    }
}

pub(crate) fn goes_on(error: &impl Display) -> String {
    say(format!("the body goes on behind its JSON: {error}"))
}

pub(crate) fn key_used(key: &impl Display) -> String {
    say(format!(
        "idempotency key `{key}` was used for another request: choose a new one for each thing that is wanted"
    ))
}
