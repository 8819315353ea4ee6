//! Makes a [`Config`] of what was said, or notes why it cannot be one.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use model::{LeaseTimes, Region};

use crate::origin::Origin;
use crate::problem::Problem;
use crate::setting::SETTINGS;
use crate::source::{Raw, Sources};
use crate::value::{HostPort, Networks, Url, Value};
use crate::{Agent, Client, Config, Link, Log, Router, Shown};

/// Reads every setting before it gives up, so that all problems are found at once.
pub(crate) fn config(sources: &mut Sources) -> Option<Config> {
    let data_dir = data_dir(sources);
    let log_format = sources.get("log.format");
    let log_level = log_level(sources);
    let registry_listen = loopback(sources, "registry.listen");
    let registry_low_water = optional(sources, "registry.low_water");
    let admin_listen = loopback(sources, "admin.listen");
    let link = link(sources);
    let router_listen = sources.get::<SocketAddr>("router.listen");
    let router_lean = sources.get::<bool>("router.lean");
    let router_trusted = optional::<Networks>(sources, "router.trusted_proxies");
    let router_name = name(sources, "router.name");
    let agent = agent(sources);
    let lease = lease(sources);
    let port_range = sources.get::<RangeInclusive<u16>>("scheduler.port_range");
    let region = sources.get::<Region>("region");
    let client = Client {
        url: sources.get::<Url>("url").map(|(url, _)| url.0),
        token: optional(sources, "token"),
    };
    let join_token = optional(sources, "join_token");
    distinct_ports(sources);
    let color = sources.environment.get("NO_COLOR").is_none_or(String::is_empty);
    Some(Config {
        data_dir: data_dir?,
        file: sources.file.clone(),
        log: Log { format: log_format?.0, level: log_level? },
        registry_listen: registry_listen?,
        registry_low_water,
        admin_listen: admin_listen?,
        link: link?,
        router: Router {
            listen: router_listen?.0,
            lean: router_lean?.0,
            trusted_proxies: router_trusted.map(|networks| networks.0).unwrap_or_default(),
            name: router_name,
        },
        agent: agent?,
        lease: lease?,
        port_range: port_range?.0,
        region: region?.0,
        client,
        join_token,
        color,
        shown: shown(sources),
    })
}

fn optional<T: Value>(sources: &mut Sources, key: &'static str) -> Option<T> {
    sources.get(key).map(|(value, _)| value)
}

fn unusable(
    sources: &mut Sources,
    key: &str,
    given: impl std::fmt::Display,
    origin: Origin,
    why: impl Into<String>,
) {
    let (key, given, why) = (key.to_owned(), given.to_string(), why.into());
    sources.problems.push(Problem::Unusable { key, given, origin, why });
}

/// Absolute, since roles and later commands may be started from elsewhere.
fn data_dir(sources: &mut Sources) -> Option<PathBuf> {
    let usual = sources.usual_data_dir();
    let named = sources.get::<PathBuf>("data_dir");
    let Some((path, origin)) = named.or_else(|| Some((usual?, Origin::Default))) else {
        sources.problems.push(Problem::NoDataDir);
        return None;
    };
    let absolute = std::path::absolute(&path);
    match absolute {
        Ok(absolute) => {
            let raw = Raw::Text(absolute.display().to_string());
            sources.values.insert("data_dir", (raw, origin));
            Some(absolute)
        }
        Err(error) => {
            unusable(sources, "data_dir", path.display(), origin, error.to_string());
            None
        }
    }
}

fn log_level(sources: &mut Sources) -> Option<String> {
    let (level, origin) = sources.get::<String>("log.level")?;
    let known = ["off", "error", "warn", "info", "debug", "trace"];
    let good = level.split(',').all(|part| {
        let word = part.rsplit('=').next().unwrap_or(part).trim();
        known.contains(&word.to_ascii_lowercase().as_str())
    });
    if !good {
        let why = "a level is one of off, error, warn, info, debug and trace, for all or as `link=debug` for a part";
        unusable(sources, "log.level", &level, origin, why);
    }
    good.then_some(level)
}

fn loopback(sources: &mut Sources, key: &'static str) -> Option<SocketAddr> {
    let (address, origin) = sources.get::<SocketAddr>(key)?;
    if !address.ip().is_loopback() {
        let why = "beyond loopback it would need TLS, which Berth does not offer there yet; listen on 127.0.0.1 and \
                   reach it through an SSH tunnel or a TLS proxy of your own";
        unusable(sources, key, address, origin, why);
        return None;
    }
    Some(address)
}

fn link(sources: &mut Sources) -> Option<Link> {
    let advertised = optional::<HostPort>(sources, "link.advertised_address");
    let server = optional::<HostPort>(sources, "link.server");
    let (listen, _) = sources.get::<SocketAddr>("link.listen")?;
    Some(Link {
        listen,
        advertised_address: advertised.map(|address| address.0),
        server: server.map(|server| server.0),
    })
}

fn agent(sources: &mut Sources) -> Option<Agent> {
    let mirror = sources.values.contains_key("agent.mirror_listen");
    let docker_host = optional::<String>(sources, "agent.docker_host");
    let docker_host = docker_host.or_else(|| {
        sources.environment.get("DOCKER_HOST").filter(|host| !host.is_empty()).cloned()
    });
    let advertised = sources.get::<std::net::IpAddr>("agent.advertised_address");
    if let Some((address, origin)) = &advertised
        && address.is_unspecified()
    {
        let why = "other hosts cannot dial it; name the address of this host that they reach";
        unusable(sources, "agent.advertised_address", address, origin.clone(), why);
    }
    let container_disk = sources.get::<u64>("agent.container_disk");
    Some(Agent {
        name: name(sources, "agent.name"),
        docker_host,
        cpu: optional(sources, "agent.cpu"),
        memory: optional(sources, "agent.memory"),
        container_disk: container_disk?.0,
        advertised_address: advertised.map(|(address, _)| address),
        mirror_listen: if mirror { loopback(sources, "agent.mirror_listen") } else { None },
    })
}

fn name(sources: &mut Sources, key: &'static str) -> String {
    optional::<String>(sources, key).unwrap_or_else(|| {
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let host = host.trim();
        if host.is_empty() { "localhost".to_owned() } else { host.to_owned() }
    })
}

fn lease(sources: &mut Sources) -> Option<LeaseTimes> {
    let suspect = sources.get::<Duration>("lease.suspect_after");
    let disconnected = sources.get::<Duration>("lease.disconnected_after");
    let (lost, origin) = sources.get::<Duration>("lease.lost_after")?;
    let times = LeaseTimes {
        suspect_after: suspect?.0,
        disconnected_after: disconnected?.0,
        lost_after: lost,
    };
    let ordered = Duration::ZERO < times.suspect_after
        && times.suspect_after <= times.disconnected_after
        && times.disconnected_after <= times.lost_after;
    if !ordered {
        let why = format!(
            "leases go from suspect ({:?}) to disconnected ({:?}) to lost ({:?}), each no earlier than the one before",
            times.suspect_after, times.disconnected_after, times.lost_after
        );
        unusable(sources, "lease.lost_after", format!("{lost:?}"), origin, why);
    }
    ordered.then_some(times)
}

/// Two listeners on one port would fail only when the second one binds.
fn distinct_ports(sources: &mut Sources) {
    let keys = ["registry.listen", "admin.listen", "link.listen", "router.listen"];
    let mut seen: Vec<(&str, SocketAddr)> = Vec::new();
    for key in keys {
        // What is wrong with it was noted before; here it only does not count.
        let before = sources.problems.len();
        let value = sources.get::<SocketAddr>(key);
        sources.problems.truncate(before);
        let Some((address, origin)) = value else { continue };
        let other = seen.iter().find(|(_, other)| {
            let overlap = other.ip() == address.ip()
                || other.ip().is_unspecified()
                || address.ip().is_unspecified();
            overlap && address.port() != 0 && other.port() == address.port()
        });
        if let Some((other, _)) = other {
            let why = format!("`{other}` has that port already");
            unusable(sources, key, address, origin, why);
        } else {
            seen.push((key, address));
        }
    }
}

fn shown(sources: &Sources) -> Vec<Shown> {
    let show = |setting: &crate::Setting| {
        let said = sources.values.get(setting.key);
        let value = match said {
            Some(_) if setting.secret => Some("(set)".to_owned()),
            Some((raw, _)) => Some(raw.text()),
            None => setting.default.map(ToOwned::to_owned),
        };
        let origin = said.map_or(Origin::Default, |(_, origin)| origin.clone());
        Shown { key: setting.key, value, origin }
    };
    SETTINGS.iter().map(show).collect()
}
