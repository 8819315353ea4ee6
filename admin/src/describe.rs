//! What the API answers: ECS's field names, made from State and Observed, never the other way round.

pub(crate) mod image;
pub(crate) mod instance;
pub(crate) mod routing;
pub(crate) mod service;
pub(crate) mod task;

use model::{State, Timestamp};

/// A time as RFC 3339 text.
pub(crate) fn at(time: Timestamp) -> String {
    time.to_string()
}

/// The URL under which people reach a service: its first rule with a host that can be dialled. None while no router has
/// said where it listens.
pub(crate) fn url(state: &State, service: &model::Service, port: u16) -> Option<String> {
    let plain = |pattern: &&String| !pattern.contains(['*', '?']);
    let mut of = state.rules().filter(|rule| rule.service == Some(service.id));
    let (host, conditions) = of.find_map(|rule| {
        let host = rule.conditions.host_header.iter().find(plain)?;
        Some((host, &rule.conditions))
    })?;
    let path = conditions.path_pattern.iter().find(plain).map_or("", String::as_str);
    let port = match port {
        0 => return None,
        80 => String::new(),
        other => format!(":{other}"),
    };
    Some(format!("http://{host}{port}{path}"))
}
