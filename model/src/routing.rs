//! Listeners, rules and target groups, with ALB's meaning. Targets are not kept: they follow from tasks.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::id::{ListenerId, RuleId, ServiceId, TargetGroupId};
use crate::name::{ClusterName, TargetGroupName};
use crate::time::Timestamp;

/// A port of the router. Where it binds is each router's own setting; rules belong to the listener.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listener {
    /// Its id.
    pub id: ListenerId,
    /// Its name; `http` is made at first start.
    pub name: String,
    /// When it was made.
    pub created_at: Timestamp,
}

/// Conditions with a priority and an action. The first rule that matches, by priority, wins.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Rule {
    /// Its id.
    pub id: RuleId,
    /// The listener that it belongs to.
    pub listener: ListenerId,
    /// 1 to 50000, lowest first. None: derived from how specific host and path are, after every explicit one.
    pub priority: Option<u16>,
    /// What a request must be.
    pub conditions: Conditions,
    /// What then happens.
    pub action: Action,
    /// The service that it was made for and goes with.
    pub service: Option<ServiceId>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// All that are given must hold; of the values of one, any. Empty lists hold always.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Conditions {
    /// ALB `host-header`: case-insensitive, `*` is any run of characters, dots included, `?` one character.
    #[serde(default)]
    pub host_header: Vec<String>,
    /// ALB `path-pattern`: case-sensitive, on the path alone, the same wildcards.
    #[serde(default)]
    pub path_pattern: Vec<String>,
}

impl Conditions {
    /// For people who say host and path: the path as a prefix by whole segments (`/v2` is `/v2` and `/v2/*`); `/` is all.
    pub fn host_and_path(host: &str, path: &str) -> Self {
        let prefix = path.trim_end_matches('/');
        let path_pattern = match prefix {
            "" => Vec::new(),
            _ => vec![prefix.to_owned(), format!("{prefix}/*")],
        };
        Self { host_header: vec![host.to_ascii_lowercase()], path_pattern }
    }
}

/// What happens with a request that matches.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    /// To a target of this group.
    Forward {
        /// The group.
        target_group: TargetGroupId,
    },
    /// The router answers by itself.
    FixedResponse {
        /// 2xx, 4xx or 5xx.
        status: u16,
        /// The content type of the body.
        content_type: String,
        /// The body.
        body: String,
    },
}

/// The places that one service's traffic can go. How its targets are checked and drained is said by the revision of the
/// service that each of them runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TargetGroup {
    /// Its id.
    pub id: TargetGroupId,
    /// Its cluster.
    pub cluster: ClusterName,
    /// Its name, unique in the cluster.
    pub name: TargetGroupName,
    /// When it was made.
    pub created_at: Timestamp,
}

/// How a router checks a target. Names are ELB's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
pub struct HealthCheck {
    /// HTTP by GET, or a TCP connect.
    pub protocol: HealthCheckProtocol,
    /// The path of the GET.
    pub path: String,
    /// Between two checks.
    pub interval_seconds: u32,
    /// How long one check may take.
    pub timeout_seconds: u32,
    /// Passes in a row that make an unhealthy target healthy. A new target needs one, as with ALB.
    pub healthy_threshold: u32,
    /// Failures in a row that make a healthy target unhealthy.
    pub unhealthy_threshold: u32,
    /// Which answers pass.
    pub matcher: HttpMatcher,
    /// The port that is checked, where it is another than the one that takes the traffic (ELB `HealthCheckPort`).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The Host that the check asks for. None: the first host of the service that is no pattern, since an application may
    /// refuse hosts that it does not know.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            protocol: HealthCheckProtocol::Http,
            path: "/".to_owned(),
            interval_seconds: 5,
            timeout_seconds: 2,
            healthy_threshold: 2,
            unhealthy_threshold: 3,
            matcher: HttpMatcher::default(),
            port: None,
            host: None,
        }
    }
}

/// What a check speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "UPPERCASE")]
pub enum HealthCheckProtocol {
    /// GET, and a status that the matcher holds.
    Http,
    /// A connection that opens.
    Tcp,
}

/// Status codes that pass, as ELB writes them: `200`, `200-399` or `200,202,301-302`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HttpMatcher(Vec<(u16, u16)>);

/// Text that is no list of status codes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct MatcherError(pub(crate) String);

impl HttpMatcher {
    /// Whether this status passes.
    pub fn matches(&self, status: u16) -> bool {
        self.0.iter().any(|(low, high)| (*low..=*high).contains(&status))
    }
}

impl Default for HttpMatcher {
    fn default() -> Self {
        Self(vec![(200, 399)])
    }
}

impl FromStr for HttpMatcher {
    type Err = MatcherError;

    fn from_str(text: &str) -> Result<Self, MatcherError> {
        let code = |text: &str| text.trim().parse::<u16>().ok().filter(|c| (200..600).contains(c));
        let range = |part: &str| match part.split_once('-') {
            Some((low, high)) => Some((code(low)?, code(high)?)).filter(|(low, high)| low <= high),
            None => code(part).map(|code| (code, code)),
        };
        text.split(',')
            .map(range)
            .collect::<Option<Vec<_>>>()
            .map(Self)
            .ok_or_else(|| MatcherError(text.chars().take(80).collect()))
    }
}

impl TryFrom<String> for HttpMatcher {
    type Error = MatcherError;

    fn try_from(text: String) -> Result<Self, MatcherError> {
        text.parse()
    }
}

impl fmt::Display for HttpMatcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (low, high)) in self.0.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            if low == high {
                write!(f, "{comma}{low}")?;
            } else {
                write!(f, "{comma}{low}-{high}")?;
            }
        }
        Ok(())
    }
}

impl From<HttpMatcher> for String {
    fn from(matcher: HttpMatcher) -> Self {
        matcher.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_matcher_reads_what_elb_writes() {
        let matcher: HttpMatcher = "200,202,301-302".parse().unwrap();
        assert!(matcher.matches(202) && matcher.matches(301) && !matcher.matches(201));
        assert_eq!(matcher.to_string(), "200,202,301-302");
        for bad in ["", "abc", "100", "300-200", "200,", "600"] {
            assert!(bad.parse::<HttpMatcher>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_path_is_a_prefix_by_whole_segments() {
        let conditions = Conditions::host_and_path("Hello.localhost", "/v2/");
        assert_eq!(conditions.host_header, ["hello.localhost"]);
        assert_eq!(conditions.path_pattern, ["/v2", "/v2/*"]);
        assert!(Conditions::host_and_path("a", "/").path_pattern.is_empty());
    }
}
