//! What is said where text, a Change or a row cannot be taken.

use std::fmt;

use super::say;
use crate::arn::ArnError;
use crate::batch::{CommitError, Unmet};
use crate::change::{JoinTokenEnd, Refusal};
use crate::cluster::SubnetError;
use crate::definition::{DefinitionError, RevisionError};
use crate::digest::DigestError;
use crate::id::IdError;
use crate::image::ImageReferenceError;
use crate::name::NameError;
use crate::resources::{Dimension, Shortfall};
use crate::routing::MatcherError;
use crate::row::RowError;

/// Says a value by a function of it.
macro_rules! sentences {
    ($($type:ident: |$value:ident| $sentence:expr;)+) => {$(
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let $value = self;
                f.write_str(&say($sentence))
            }
        }
    )+};
}

sentences! {
    IdError: |error| format!(
        "`{}` is not an id: an id is 32 hexadecimal digits, as the `ls` commands show", error.text
    );
    DigestError: |error| format!(
        "`{}` is not a digest: write `sha256:` and 64, or `sha512:` and 128, lowercase hexadecimal digits",
        error.text
    );
    ImageReferenceError: |error| format!("`{}` does not name an image: {}", error.text, error.reason);
    NameError: |error| format!("`{}` is not a {}: {}", error.text, error.kind, error.rule);
    SubnetError: |error| format!("`{}` is not an IPv4 subnet: write it as 10.90.3.0/24", error.0);
    MatcherError: |error| format!(
        "`{}` is not a list of status codes: write it as 200, 200-399 or 200,202", error.0
    );
    RevisionError: |error| format!(
        "`{}` is not a task definition: write it as family:revision, for example hello:3", error.0
    );
    ArnError: |error| format!(
        "`{}` is not an ARN of ECS, ECR or ELB: write it as arn:aws:ecs:REGION:ACCOUNT:service/CLUSTER/NAME",
        error.0
    );
    RowError: |error| row(error);
    DefinitionError: |error| definition(error);
    Refusal: |refusal| self::refusal(refusal);
    Unmet: |unmet| self::unmet(unmet);
    CommitError: |error| commit(error);
    Shortfall: |short| shortfall(short);
}

fn row(error: &RowError) -> String {
    match error {
        RowError::UnknownKey(key) => {
            format!("the store holds a row `{key}` that this version of Berth does not know")
        }
        RowError::UnknownSchema { key, schema } => format!(
            "row `{key}` of the store has schema {schema}, which this version of Berth does not know"
        ),
        RowError::Unreadable { key, source: _ } => {
            format!("row `{key}` of the store cannot be read")
        }
        RowError::Misplaced { key, owner } => {
            format!("row `{key}` of the store holds what belongs in row `{owner}`")
        }
    }
}

fn definition(error: &DefinitionError) -> String {
    match error {
        DefinitionError::NoContainers => {
            "a task definition needs at least one container".to_owned()
        }
        DefinitionError::TooManyContainers(count) => {
            format!("a task definition has {count} containers; 10 at most")
        }
        DefinitionError::NoEssential => {
            "no container is essential; set `essential` to true on at least one".to_owned()
        }
        DefinitionError::DuplicateContainer(name) => {
            format!("two containers are named `{name}`; container names must be unique")
        }
        DefinitionError::DuplicatePort { port, protocol } => format!(
            "container port {port}/{protocol} is mapped twice; the containers of a task share one address"
        ),
        DefinitionError::OutOfRange { container, field, value, rule } => {
            format!("`{field}` of container `{container}` is {value}; {rule}")
        }
    }
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotFound { kind, name } => format!("{kind} `{name}` does not exist"),
        Refusal::Exists { kind, name } => format!("{kind} `{name}` already exists"),
        Refusal::WrongStatus { kind, name, status } => format!("{kind} `{name}` is {status}"),
        Refusal::InUse { kind, name, by } => format!("{kind} `{name}` is in use by {by}"),
        Refusal::NotNext { given, next } => {
            format!("task definition `{given}` is not the next revision, `{next}`")
        }
        Refusal::Definition { family, source } => format!("task definition `{family}`: {source}"),
        Refusal::NoRoom { instance, shortfalls } => {
            let lacks: Vec<_> = shortfalls.iter().map(shortfall).collect();
            format!("instance `{instance}` has no room for the task: {}", lacks.join(", "))
        }
        Refusal::ServiceExists { cluster, name } => {
            format!("service `{name}` already exists in cluster `{cluster}`")
        }
        Refusal::RuleConflict { other, why } => {
            format!("rule conflicts with rule `{other}`: {why}")
        }
        Refusal::JoinTokenOver(end) => {
            let end = match end {
                JoinTokenEnd::Expired => "expired",
                JoinTokenEnd::UsedUp => "been used up",
            };
            format!("join token has {end}; make a new one with `berth instance join-token`")
        }
        Refusal::Invalid(what) => what.clone(),
    }
}

fn unmet(unmet: &Unmet) -> String {
    match unmet {
        Unmet::CredentialEnded(principal) => format!("the credential of `{principal}` has ended"),
        Unmet::Denied { principal, action, resource } => {
            format!("`{principal}` may not `{action}` on `{resource}`")
        }
        Unmet::Modified { resource } => format!("`{resource}` has changed since it was read"),
    }
}

fn commit(error: &CommitError) -> String {
    match error {
        CommitError::Refused(refusal) => self::refusal(refusal),
        CommitError::Unmet(unmet) => self::unmet(unmet),
        CommitError::GuardFailed { key } => {
            let key = String::from_utf8_lossy(key);
            format!("a row that the batch relies on has changed: `{key}`")
        }
        CommitError::TooLarge(why) => format!("the batch cannot be committed at once: it {why}"),
        CommitError::Unavailable(why) => {
            format!("the store cannot write: {why}; see the server's log and restart it")
        }
    }
}

fn shortfall(short: &Shortfall) -> String {
    let Shortfall { dimension, needed, free } = short;
    match dimension {
        Dimension::Cpu => format!("needs {needed} CPU units, {free} free"),
        Dimension::Memory => format!("needs {needed} MiB of memory, {free} free"),
        Dimension::Named(name) => format!("needs {needed} of {name}, {free} free"),
    }
}
