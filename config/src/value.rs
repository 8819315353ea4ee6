//! How the text or number of a setting becomes a value that is known to be good.

use std::net::{IpAddr, SocketAddr};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use ipnet::IpNet;
use model::Region;

use crate::LogFormat;
use crate::origin::Origin;
use crate::problem::Problem;
use crate::setting::find;
use crate::source::{Raw, Sources};

/// A type that a setting can have.
pub(crate) trait Value: Sized {
    /// What it must be, for people.
    const EXPECTED: &'static str;

    fn from_text(text: &str) -> Option<Self>;

    fn from_integer(_: i64) -> Option<Self> {
        None
    }

    fn from_boolean(_: bool) -> Option<Self> {
        None
    }
}

impl Value for bool {
    const EXPECTED: &'static str = "`true` or `false`";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn from_boolean(value: bool) -> Option<Self> {
        Some(value)
    }
}

impl Value for SocketAddr {
    const EXPECTED: &'static str = "an IP address and a port, as `127.0.0.1:5000`";

    fn from_text(text: &str) -> Option<Self> {
        match text.strip_prefix("localhost:") {
            Some(port) => format!("127.0.0.1:{port}").parse().ok(),
            None => text.parse().ok(),
        }
    }
}

impl Value for IpAddr {
    const EXPECTED: &'static str = "an IP address, as `10.0.0.7`";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for Duration {
    const EXPECTED: &'static str = "a length of time, as `500ms`, `10s` or `2m`";

    fn from_text(text: &str) -> Option<Self> {
        humantime::parse_duration(text).ok()
    }
}

impl Value for u64 {
    const EXPECTED: &'static str = "a whole number above 0";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok().filter(|number| *number > 0)
    }

    fn from_integer(number: i64) -> Option<Self> {
        Self::try_from(number).ok().filter(|number| *number > 0)
    }
}

impl Value for RangeInclusive<u16> {
    const EXPECTED: &'static str = "two ports from low to high, as `20000-32000`";

    fn from_text(text: &str) -> Option<Self> {
        let (low, high) = text.split_once('-')?;
        let (low, high) = (low.trim().parse().ok()?, high.trim().parse().ok()?);
        (0 < low && low < high).then_some(low..=high)
    }
}

impl Value for Region {
    const EXPECTED: &'static str = "1 to 63 lowercase letters, digits and hyphens, as `eu-home-1`";

    fn from_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }
}

impl Value for LogFormat {
    const EXPECTED: &'static str = "`text` or `json`";

    fn from_text(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl Value for PathBuf {
    const EXPECTED: &'static str = "a path";

    fn from_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self::from(text))
    }
}

impl Value for String {
    const EXPECTED: &'static str = "text";

    fn from_text(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| text.to_owned())
    }
}

/// `host:port` to dial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct HostPort(pub(crate) String);

impl Value for HostPort {
    const EXPECTED: &'static str = "a host and a port, as `berth.example.com:7071`";

    fn from_text(text: &str) -> Option<Self> {
        let (host, port) = text.rsplit_once(':')?;
        let port: u16 = port.parse().ok()?;
        let plain = host.chars().all(|c| c.is_ascii_alphanumeric() || "-._:[]".contains(c));
        (port > 0 && !host.is_empty() && plain).then(|| Self(text.to_owned()))
    }
}

/// Addresses and networks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Networks(pub(crate) Vec<IpNet>);

impl Value for Networks {
    const EXPECTED: &'static str = "addresses and networks, as `10.0.0.0/8, 192.0.2.7`";

    fn from_text(text: &str) -> Option<Self> {
        let one = |text: &str| {
            let address = || text.parse::<IpAddr>().ok().map(IpNet::from);
            text.parse().ok().or_else(address)
        };
        let all = text.split(',').map(str::trim).filter(|one| !one.is_empty());
        all.map(one).collect::<Option<Vec<_>>>().map(Self)
    }
}

/// An `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url(pub(crate) String);

impl Value for Url {
    const EXPECTED: &'static str = "a URL, as `http://127.0.0.1:7070`";

    fn from_text(text: &str) -> Option<Self> {
        // As people have it: `berth up` and status show it without a scheme in places.
        let with_scheme = match text.split_once("://") {
            Some(_) => text.to_owned(),
            None => format!("http://{text}"),
        };
        let url = url::Url::parse(&with_scheme).ok()?;
        let is_http = matches!(url.scheme(), "http" | "https");
        // The parser would drop tabs and line ends without an error.
        let is_plain = !text.contains(char::is_whitespace);
        (is_http && is_plain).then(|| Self(text.trim_end_matches('/').to_owned()))
    }
}

impl Sources {
    /// The value of a setting and its origin; the default where no source sets it. None when it has none, or when it is
    /// wrong, which is added to the problems.
    pub(crate) fn get<T: Value>(&mut self, key: &'static str) -> Option<(T, Origin)> {
        let setting = find(key).expect("only settings of the list are asked for");
        let said = self.values.get(key).cloned();
        let said = said.or_else(|| Some((Raw::Text(setting.default?.to_owned()), Origin::Default)));
        let (raw, origin) = said?;
        let value = match &raw {
            Raw::Text(text) => T::from_text(text),
            Raw::Integer(number) => T::from_integer(*number),
            Raw::Boolean(value) => T::from_boolean(*value),
            Raw::Other(_) => None,
        };
        if value.is_none() {
            let given = match &raw {
                _ if setting.secret => "what is given".to_owned(),
                Raw::Text(text) => format!("`{text}`"),
                Raw::Integer(number) => format!("the number {number}"),
                Raw::Boolean(_) | Raw::Other(_) => raw.text(),
            };
            self.problems.push(Problem::Wrong {
                key: key.to_owned(),
                expected: T::EXPECTED.to_owned(),
                given,
                origin: origin.clone(),
            });
        }
        value.map(|value| (value, origin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_of_time_needs_a_number_and_a_known_unit() {
        let parse = Duration::from_text;
        assert_eq!(parse("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse("2m"), Some(Duration::from_mins(2)));
        assert_eq!(parse("1h"), Some(Duration::from_hours(1)));
        assert_eq!(parse("1m 30s"), Some(Duration::from_secs(90)), "as humantime writes them");
        for wrong in ["", "s", "10", "-1s", "99999999999999999999h", "10 lightyears"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_url_is_http_or_https_with_a_host() {
        let parse = |text| Url::from_text(text).map(|url| url.0);
        for good in ["http://127.0.0.1:7070", "https://berth.example.com/api", "http://[::1]:7070"]
        {
            assert_eq!(parse(good).as_deref(), Some(good));
        }
        assert_eq!(parse("http://localhost:7070/").as_deref(), Some("http://localhost:7070"));
        assert_eq!(parse("127.0.0.1:7070").as_deref(), Some("127.0.0.1:7070"));
        for wrong in ["", "ftp://a", "http://", "http://a b", "http://a:99999"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
