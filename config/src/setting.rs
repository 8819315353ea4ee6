//! The list of all settings. What is not in it does not exist: file, environment, flags, `config print` and the
//! suggestions for misspelt keys all read this one table.

/// One setting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Setting {
    /// Its key in the file, as in `registry.listen`.
    pub key: &'static str,
    /// Its default in the file's spelling; None when it is found out at run time or stays unset.
    pub default: Option<&'static str>,
    /// Whether its value must never be shown.
    pub secret: bool,
    /// What it is, in one line.
    pub about: &'static str,
}

impl Setting {
    /// The environment variable that sets it.
    pub fn variable(&self) -> String {
        format!("BERTH_{}", self.key.replace('.', "_").to_ascii_uppercase())
    }

    /// The section that it is in; None at the top.
    pub fn section(&self) -> Option<&'static str> {
        self.key.split_once('.').map(|(section, _)| section)
    }
}

const fn setting(key: &'static str, default: Option<&'static str>, about: &'static str) -> Setting {
    Setting { key, default, secret: false, about }
}

const fn secret(key: &'static str, about: &'static str) -> Setting {
    Setting { key, default: None, secret: true, about }
}

/// All of them.
pub const SETTINGS: &[Setting] = &[
    setting("data_dir", None, "where all data lies"),
    setting("registry.listen", Some("127.0.0.1:5000"), "address of the registry"),
    setting(
        "registry.low_water",
        None,
        "MiB of disk that pushes leave free; 5 % of the disk, 1024 at most",
    ),
    setting("router.listen", Some("0.0.0.0:8080"), "address of the router, HTTP"),
    setting(
        "router.lean",
        Some("true"),
        "whether plain HTTP/1.1 takes the router's short path; `false` sends all of it through pingora's proxy",
    ),
    setting(
        "router.trusted_proxies",
        None,
        "addresses and networks of proxies before the router whose X-Forwarded headers count",
    ),
    setting("router.name", None, "what people call the router; the host's name"),
    setting("admin.listen", Some("127.0.0.1:7070"), "address of the admin API"),
    setting("link.listen", Some("127.0.0.1:7071"), "address that agents and routers dial, TLS"),
    setting("link.advertised_address", None, "`host:port` of the link for other hosts"),
    setting("link.server", None, "`host:port` that the agent and the router dial"),
    setting("agent.name", None, "what people call the instance; the host's name"),
    setting("agent.docker_host", None, "address of Docker; DOCKER_HOST or its usual socket"),
    setting("agent.cpu", None, "CPU units that the instance offers (1024 is a core)"),
    setting("agent.memory", None, "MiB of memory that the instance offers"),
    setting(
        "agent.container_disk",
        Some("20480"),
        "MiB that a container may write in its own file system",
    ),
    setting("agent.advertised_address", None, "IP address of the instance's published ports"),
    setting("agent.mirror_listen", None, "address of the image mirror; a free port that is kept"),
    setting(
        "lease.suspect_after",
        Some("10s"),
        "silence after which an instance gets no new tasks",
    ),
    setting(
        "lease.disconnected_after",
        Some("15s"),
        "silence after which it counts as disconnected",
    ),
    setting("lease.lost_after", Some("1m"), "silence after which its tasks are replaced"),
    setting("scheduler.port_range", Some("20000-32000"), "host ports that the scheduler gives out"),
    setting("region", Some("local"), "region in the ARNs of services, tasks and all else"),
    setting("log.format", Some("text"), "`text` or `json`"),
    setting("log.level", Some("info"), "filter, as `info` or `info,link=debug`"),
    setting("url", None, "URL of the admin API, for commands"),
    secret("token", "token for the admin API, for commands"),
    secret("join_token", "token with which an agent or a router joins, once"),
];

pub(crate) fn find(key: &str) -> Option<&'static Setting> {
    SETTINGS.iter().find(|setting| setting.key == key)
}
