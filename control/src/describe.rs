//! Answers formed from State and Observed, never the other way round.

pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod routing;
pub(crate) mod service;
pub(crate) mod task;

use model::{Rule, State, Task, TaskStatus};

/// How many there are.
pub(crate) fn count(items: impl Iterator) -> u32 {
    u32::try_from(items.count()).unwrap_or(u32::MAX)
}

/// How many of the tasks run.
pub(crate) fn running<'a>(tasks: impl Iterator<Item = &'a Task>) -> u32 {
    count(tasks.filter(|task| task.last_status() == TaskStatus::Running))
}

/// How many of the tasks do not run yet.
pub(crate) fn pending<'a>(tasks: impl Iterator<Item = &'a Task>) -> u32 {
    use TaskStatus::{Activating, Pending, Provisioning};
    count(tasks.filter(|task| matches!(task.last_status(), Provisioning | Pending | Activating)))
}

/// The URL under which people reach a service: its first rule in force with a host that can be dialled, else one that
/// somebody made for it. None while no router has said where it listens.
pub(crate) fn url(state: &State, service: &model::Service, port: u16) -> Option<String> {
    let made = state.rules().filter(|rule| rule.service == Some(service.id)).cloned();
    url_of(state.service_rules(service).into_iter().chain(made), port)
}

/// The URL under which people will reach a service once what was asked for last is in force.
pub(crate) fn url_to_be(state: &State, service: &model::Service, port: u16) -> Option<String> {
    let requested = state.requested_revision(service)?;
    url_of(requested.rules(), port).or_else(|| url(state, service, port))
}

fn url_of(mut rules: impl Iterator<Item = Rule>, port: u16) -> Option<String> {
    let plain = |pattern: &&String| !pattern.contains(['*', '?']);
    let (host, conditions) = rules.find_map(|rule| {
        let host = rule.conditions.host_header.iter().find(plain)?.clone();
        Some((host, rule.conditions))
    })?;
    let path = conditions.path_pattern.iter().find(plain).map_or("", String::as_str);
    let port = match port {
        0 => return None,
        80 => String::new(),
        other => format!(":{other}"),
    };
    Some(format!("http://{host}{port}{path}"))
}
