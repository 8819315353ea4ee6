//! What is said where text, a Change or a row cannot be taken.

use std::fmt;

use super::say;
use crate::arn::ArnError;
use crate::batch::{CommitError, Unmet};
use crate::cluster::SubnetError;
use crate::definition::{DefinitionError, RevisionError};
use crate::digest::DigestError;
use crate::id::{IdError, IdPrefixError};
use crate::image::ImageReferenceError;
use crate::name::NameError;
use crate::refusal::{
    ActualStatus, InvalidChange, InvalidRouting, JoinTokenEnd, Refusal, RuleOverlap, User,
};
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
    IdPrefixError: |error| format!(
        "`{}` is no id; an id has 32 hexadecimal digits, of which the first 4 or more do where only one begins with them",
        error.text
    );
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
        DefinitionError::Task { field, value, rule } => {
            format!("`{field}` of the task is {value}; {rule}")
        }
        DefinitionError::OutOfRange { container, field, value, rule } => {
            format!("`{field}` of container `{container}` is {value}; {rule}")
        }
    }
}

fn refusal(refusal: &Refusal) -> String {
    match refusal {
        Refusal::NotFound { kind, name } => format!("{kind} `{name}` does not exist"),
        Refusal::Exists { kind, name } => format!("{kind} `{name}` already exists"),
        Refusal::WrongStatus { kind, name, status } => {
            format!("{kind} `{name}` is {}", self::status(*status))
        }
        Refusal::InUse { kind, name, by } => {
            format!("{kind} `{name}` is in use by {}", user(by))
        }
        Refusal::NotNext { given, next } => {
            format!("task definition `{given}` is not the next revision, `{next}`")
        }
        Refusal::NotNextServiceRevision { service, given, next } => {
            format!("revision {given} of service `{service}` is not the next one, {next}")
        }
        Refusal::Definition { family, source } => format!("task definition `{family}`: {source}"),
        Refusal::NoRoom { instance, shortfalls } => {
            let lacks: Vec<_> = shortfalls.iter().map(shortfall).collect();
            format!("instance `{instance}` has no room for the task: {}", lacks.join(", "))
        }
        Refusal::ServiceExists { cluster, name } => {
            format!("service `{name}` already exists in cluster `{cluster}`")
        }
        Refusal::RuleConflict { other, service: None, overlap } => {
            format!("rule conflicts with rule `{other}`: {}", self::overlap(overlap))
        }
        Refusal::RuleConflict { other: _, service: Some(service), overlap } => {
            format!("rule conflicts with one of service `{service}`: {}", self::overlap(overlap))
        }
        Refusal::JoinTokenOver(end) => {
            let end = match end {
                JoinTokenEnd::Expired => "expired",
                JoinTokenEnd::UsedUp => "been used up",
            };
            format!("join token has {end}; make a new one with `berth instance join-token`")
        }
        Refusal::Invalid(what) => invalid(what),
    }
}

fn status(status: ActualStatus) -> String {
    match status {
        ActualStatus::Superseded => "superseded".to_owned(),
        ActualStatus::Completed => "COMPLETED".to_owned(),
        ActualStatus::Failed => "FAILED".to_owned(),
        ActualStatus::NotPrimary => "not the one that counts".to_owned(),
        ActualStatus::ActiveService => "ACTIVE: drain it first".to_owned(),
        ActualStatus::DrainingService => {
            "DRAINING: it was removed and its tasks are being stopped".to_owned()
        }
        ActualStatus::DrainingInstance => "DRAINING".to_owned(),
        ActualStatus::Placed => "placed already".to_owned(),
        ActualStatus::Unplaced => "on no instance".to_owned(),
        ActualStatus::NotStopped(status) => format!("{status:?}, not stopped yet"),
    }
}

fn user(user: &User) -> String {
    match user {
        User::Task(id) => format!("task `{id}`"),
        User::Service(name) => format!("service `{name}`"),
        User::Rule(id) => format!("rule `{id}`"),
    }
}

fn overlap(overlap: &RuleOverlap) -> String {
    match overlap {
        RuleOverlap::Priority(priority) => format!("both have priority {priority}"),
        RuleOverlap::HostAndPath { host, path } => {
            format!("both match host `{host}` and path `{path}`")
        }
    }
}

fn invalid(invalid: &InvalidChange) -> String {
    match invalid {
        InvalidChange::Images(key) => {
            format!("a service revision of `{key}` names one image digest per container")
        }
        InvalidChange::OtherService => {
            "a deployment rolls out a revision of its own service".to_owned()
        }
        InvalidChange::BakeTime { seconds, most } => {
            format!("bakeTimeInSeconds {seconds} is too long: use 0 to {most}")
        }
        InvalidChange::HostAddress(address) => {
            format!(
                "`{address}` is no address of a host: use one at which routers reach the instance"
            )
        }
        InvalidChange::NoService => "an update names its service".to_owned(),
        InvalidChange::DesiredCount { desired, most } => {
            format!("a desired count of {desired} is too many; {most} at most")
        }
        InvalidChange::Percentages { minimum, maximum } => format!(
            "minimumHealthyPercent {minimum} and maximumPercent {maximum}: use 0 to 100, and 100 to 1000"
        ),
        InvalidChange::NoLegalStep => {
            "with minimumHealthyPercent 100 and maximumPercent 100 no task can ever be \
                                       replaced; lower the one or raise the other"
                .to_owned()
        }
        InvalidChange::NoTrafficPort { task_definition, container, port, service } => format!(
            "task definition `{task_definition}` maps no port {port} of a container `{container}`, to which service \
             `{service}` sends traffic"
        ),
        InvalidChange::OtherCluster { instance, cluster, wanted } => {
            format!("instance `{instance}` is in cluster `{cluster}`, not in `{wanted}`")
        }
        InvalidChange::Address { address, instance } => {
            format!("`{address}` is no task address of instance `{instance}`")
        }
        InvalidChange::Report(status) => format!("an agent cannot report a task as {status:?}"),
        InvalidChange::Containers { task, task_definition } => {
            format!("task `{task}` names not the containers of `{task_definition}`")
        }
        InvalidChange::OtherInstance { task, instance } => {
            format!("task `{task}` is not on instance `{instance}`")
        }
        InvalidChange::Routing(invalid) => invalid_routing(invalid),
    }
}

fn invalid_routing(invalid: &InvalidRouting) -> String {
    match invalid {
        InvalidRouting::HealthCheckZero => {
            "interval, timeout and thresholds of a health check are 1 at least".to_owned()
        }
        InvalidRouting::HealthCheckPath(path) => {
            format!("health check path `{path}` does not begin with `/`")
        }
        InvalidRouting::FixedResponse(status) => {
            format!("a fixed response has status {status}; use 2xx, 4xx or 5xx")
        }
        InvalidRouting::FixedResponseText => {
            "a fixed response has no control characters in its content type and no NUL in its body"
                .to_owned()
        }
        InvalidRouting::Priority(priority) => {
            format!("rule priority {priority} is out of range; use 1 to 50000")
        }
        InvalidRouting::Patterns { count, most } => {
            format!("a rule has {count} hosts and paths; {most} at most")
        }
        InvalidRouting::HostPattern(host) => format!(
            "host `{host}` is not a host: use letters, digits, `-`, `.`, `*` and `?`, 128 at most"
        ),
        InvalidRouting::PathPattern(path) => format!(
            "path `{path}` is not a path: use printable ASCII without spaces, 128 characters at most"
        ),
        InvalidRouting::PathNeverMatches(path) => {
            format!("path `{path}` would never match: begin it with `/`")
        }
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
