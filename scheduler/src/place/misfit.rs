//! Why an instance does not take a task, and the sentence for people that all of these make.

use std::collections::BTreeMap;

use model::{ClusterName, Dimension, Shortfall, Timestamp, TransportProtocol};

/// Why an instance does not take a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Misfit {
    Draining,
    NotConnected,
    NoSubnet,
    Platform { image: String, instance: String },
    Lacks(Vec<Shortfall>),
    PortTaken { port: u16, protocol: TransportProtocol },
    NoAddress,
    NoPort,
    UsedUp,
}

/// A task that no instance takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Unplaceable {
    /// Why, for people.
    pub(crate) sentence: String,
    /// Until when an instance that is only just away may be back: nothing is said before.
    pub(crate) may_change_at: Option<Timestamp>,
    /// Whether it would help that another task stopped.
    pub(crate) lacks_room: bool,
}

/// All misfits of a cluster in one sentence; equal ones are counted.
pub(super) fn sentence(cluster: &ClusterName, misfits: Vec<Misfit>) -> String {
    if misfits.is_empty() {
        return format!("no instance fits: cluster `{cluster}` has none");
    }
    if misfits.iter().all(|misfit| *misfit == Misfit::NotConnected) {
        return "no instance is connected".to_owned();
    }
    let mut groups: BTreeMap<(u8, String), Vec<Misfit>> = BTreeMap::new();
    for misfit in misfits {
        groups.entry(misfit.kind()).or_default().push(misfit);
    }
    let parts: Vec<_> = groups.into_values().map(|group| part(&group)).collect();
    format!("no instance fits: {}", parts.join(", "))
}

impl Misfit {
    /// Whether another task has what is missing.
    pub(super) fn lacks_room(&self) -> bool {
        match self {
            Self::Lacks(_)
            | Self::PortTaken { .. }
            | Self::NoAddress
            | Self::NoPort
            | Self::UsedUp => true,
            Self::Draining | Self::NotConnected | Self::NoSubnet | Self::Platform { .. } => false,
        }
    }

    /// What equal misfits have in common; lacks come first, since they are what people can act on.
    fn kind(&self) -> (u8, String) {
        match self {
            Self::Lacks(shortfalls) => {
                let short: Vec<_> = shortfalls.iter().map(|s| s.dimension.to_string()).collect();
                (0, short.join(" "))
            }
            Self::Platform { image, instance } => (1, format!("{image} {instance}")),
            Self::PortTaken { port, protocol } => (2, format!("{port}/{protocol}")),
            Self::NoAddress => (3, String::new()),
            Self::NoPort => (4, String::new()),
            Self::UsedUp => (5, String::new()),
            Self::NoSubnet => (6, String::new()),
            Self::Draining => (7, String::new()),
            Self::NotConnected => (8, String::new()),
        }
    }
}

fn part(group: &[Misfit]) -> String {
    let count = group.len();
    let verb = |one: &str, more: &str| format!("{count} {}", if count == 1 { one } else { more });
    let Some(first) = group.first() else { return String::new() };
    match first {
        Misfit::Lacks(shortfalls) => {
            let lacks: Vec<_> = shortfalls
                .iter()
                .enumerate()
                .map(|(index, short)| lack(short, most_free(group, index)))
                .collect();
            format!("{} {}", verb("lacks", "lack"), lacks.join(" and "))
        }
        Misfit::Platform { image, instance } => {
            let run = verb("cannot run the image", "cannot run the image");
            format!("{run} ({image} image, instance is {instance})")
        }
        Misfit::PortTaken { port, protocol } => {
            format!("{} host port {port}/{protocol} in use", verb("has", "have"))
        }
        Misfit::NoAddress => format!("{} no free address", verb("has", "have")),
        Misfit::NoPort => format!("{} no free host port", verb("has", "have")),
        Misfit::UsedUp => format!("{} no free address or host port", verb("has", "have")),
        Misfit::NoSubnet => format!("{} no subnet yet", verb("has", "have")),
        Misfit::Draining => verb("is draining", "are draining"),
        Misfit::NotConnected => verb("is not connected", "are not connected"),
    }
}

fn lack(short: &Shortfall, free: u64) -> String {
    let needed = short.needed;
    match &short.dimension {
        Dimension::Memory => format!("memory (need {needed} MiB, {free} free)"),
        Dimension::Cpu => format!("CPU (need {needed} units, {free} free)"),
        Dimension::Named(name) => format!("{name} (need {needed}, {free} free)"),
    }
}

/// Of several instances that lack the same, what the best of them has.
fn most_free(group: &[Misfit], index: usize) -> u64 {
    let free = |misfit: &Misfit| match misfit {
        Misfit::Lacks(shortfalls) => shortfalls.get(index).map(|short| short.free),
        Misfit::Draining
        | Misfit::NotConnected
        | Misfit::NoSubnet
        | Misfit::Platform { .. }
        | Misfit::PortTaken { .. }
        | Misfit::NoAddress
        | Misfit::NoPort
        | Misfit::UsedUp => None,
    };
    group.iter().filter_map(free).max().unwrap_or(0)
}
