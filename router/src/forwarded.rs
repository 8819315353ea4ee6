//! What a target is told of the client: by the connection's own address, unless that is a proxy whose word counts. Pure.

use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;

/// Bytes of what proxies before this one say of the client's way, at most.
const LONGEST_WAY: usize = 2 * 1024;
/// Bytes of a host at most (RFC 1035 section 2.3.4), with a port.
const LONGEST_HOST: usize = 262;

/// What the forwarding headers of a request say.
#[derive(Debug, Clone, Default)]
pub(crate) struct Said<'a> {
    /// The values of `X-Forwarded-For`, in their order.
    pub(crate) way: Vec<&'a [u8]>,
    /// `X-Forwarded-Proto`.
    pub(crate) proto: Option<&'a [u8]>,
    /// `X-Forwarded-Host`.
    pub(crate) host: Option<&'a [u8]>,
    /// `X-Forwarded-Port`.
    pub(crate) port: Option<&'a [u8]>,
}

impl<'a> Said<'a> {
    /// Takes note of a header. One that comes again says nothing, but for the way, which may be in pieces.
    pub(crate) fn hear(&mut self, name: &str, value: &'a [u8]) {
        if name.eq_ignore_ascii_case(FOR) {
            self.way.push(value);
        }
        let one = [(PROTO, &mut self.proto), (HOST, &mut self.host), (PORT, &mut self.port)];
        if let Some((_, known)) =
            one.into_iter().find(|(wanted, _)| name.eq_ignore_ascii_case(wanted))
        {
            *known = if known.is_some() { Some(b"") } else { Some(value) };
        }
    }
}

/// The addresses that a request came through, the client's first.
pub(crate) const FOR: &str = "x-forwarded-for";
/// By which scheme the client asked.
pub(crate) const PROTO: &str = "x-forwarded-proto";
/// For which host.
pub(crate) const HOST: &str = "x-forwarded-host";
/// At which port.
pub(crate) const PORT: &str = "x-forwarded-port";
/// The client's address.
pub(crate) const REAL_IP: &str = "x-real-ip";

/// What a target is told, by header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Told {
    pub(crate) way: String,
    pub(crate) client: String,
    pub(crate) proto: &'static str,
    pub(crate) host: String,
    pub(crate) port: String,
}

/// What a target is told of a request that came from `peer` for `host`, at the listener's `port`.
pub(crate) fn told(
    peer: IpAddr,
    said: &Said<'_>,
    host: &[u8],
    port: u16,
    trusted: &[IpNet],
) -> Told {
    let peer = peer.to_canonical();
    let own = Told {
        way: peer.to_string(),
        client: peer.to_string(),
        proto: "http",
        host: String::from_utf8_lossy(host).into_owned(),
        port: port.to_string(),
    };
    let is_trusted = |address: &IpAddr| trusted.iter().any(|net| net.contains(address));
    if !is_trusted(&peer) {
        return own;
    }
    let way = way(&said.way);
    let is_https = said.proto.is_some_and(|proto| proto.eq_ignore_ascii_case(b"https"));
    let visible = |value: &&str| {
        (1..=LONGEST_HOST).contains(&value.len())
            && value.bytes().all(|byte| byte.is_ascii_graphic())
    };
    let text = |value: Option<&'_ [u8]>| {
        let text = value.and_then(|value| std::str::from_utf8(value).ok());
        text.filter(visible).map(ToOwned::to_owned)
    };
    Told {
        client: client(&way, peer, is_trusted).to_string(),
        way: way
            .iter()
            .map(String::as_str)
            .chain([own.way.as_str()])
            .collect::<Vec<_>>()
            .join(", "),
        proto: if is_https { "https" } else { "http" },
        host: text(said.host).unwrap_or(own.host),
        port: text(said.port)
            .filter(|port| port.parse::<u16>().is_ok())
            .unwrap_or_else(|| if is_https { "443".to_owned() } else { own.port }),
    }
}

/// The elements of the way; none where they are too long or hold what no address does.
fn way(values: &[&[u8]]) -> Vec<String> {
    let length: usize = values.iter().map(|value| value.len()).sum();
    let elements = values.iter().flat_map(|value| value.split(|byte| *byte == b','));
    let elements = elements.map(<[u8]>::trim_ascii).filter(|element| !element.is_empty());
    let is_plain = |element: &[u8]| element.iter().all(u8::is_ascii_graphic);
    let elements: Option<Vec<String>> = elements
        .map(|element| is_plain(element).then(|| String::from_utf8_lossy(element).into_owned()))
        .collect();
    elements.filter(|_| length <= LONGEST_WAY).unwrap_or_default()
}

/// The rightmost address that is no trusted proxy's: whatever stands to its left, the client may have made up. Where something
/// is no address, it is the one to its right.
fn client(way: &[String], peer: IpAddr, is_trusted: impl Fn(&IpAddr) -> bool) -> IpAddr {
    let mut client = peer;
    for element in way.iter().rev() {
        let Some(address) = address(element) else { break };
        client = address;
        if !is_trusted(&client) {
            break;
        }
    }
    client
}

/// An address, as some proxies write it with a port.
fn address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().ok().map(|address| address.ip());
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told_of(peer: &str, said: &[(&str, &str)]) -> Told {
        let trusted = ["10.0.0.0/8".parse().unwrap(), "2001:db8::/32".parse().unwrap()];
        let mut heard = Said::default();
        for (name, value) in said {
            heard.hear(name, value.as_bytes());
        }
        told(peer.parse().unwrap(), &heard, b"a.test:8080", 8080, &trusted)
    }

    #[test]
    fn the_word_of_a_client_does_not_count() {
        let said = [
            ("X-Forwarded-For", "1.1.1.1"),
            ("X-Forwarded-Proto", "https"),
            ("X-Forwarded-Host", "b.test"),
            ("X-Forwarded-Port", "443"),
        ];
        for peer in ["192.0.2.9", "::ffff:192.0.2.9"] {
            let told = told_of(peer, &said);
            assert_eq!((told.way.as_str(), told.client.as_str()), ("192.0.2.9", "192.0.2.9"));
            assert_eq!(
                (told.proto, told.host.as_str(), told.port.as_str()),
                ("http", "a.test:8080", "8080")
            );
        }
    }

    #[test]
    fn a_trusted_proxy_is_believed_and_the_client_is_the_rightmost_that_is_none() {
        let told = told_of(
            "10.0.0.2",
            &[
                ("x-forwarded-for", "6.6.6.6, 192.0.2.9"),
                ("X-Forwarded-For", "10.0.0.1"),
                ("X-Forwarded-Proto", "HTTPS"),
                ("X-Forwarded-Host", "shop.test"),
            ],
        );
        assert_eq!(told.way, "6.6.6.6, 192.0.2.9, 10.0.0.1, 10.0.0.2");
        assert_eq!(told.client, "192.0.2.9");
        assert_eq!(
            (told.proto, told.host.as_str(), told.port.as_str()),
            ("https", "shop.test", "443")
        );
        for (way, client) in [
            ("", "10.0.0.2"),
            ("10.0.0.1", "10.0.0.1"),
            ("192.0.2.9:5123", "192.0.2.9"),
            ("[2001:db9::1]:80, [2001:db8::7]", "2001:db9::1"),
            ("192.0.2.9, unknown, 10.0.0.1", "10.0.0.1"),
            ("192.0.2.9, _hidden", "10.0.0.2"),
        ] {
            assert_eq!(told_of("10.0.0.2", &[("X-Forwarded-For", way)]).client, client, "{way}");
        }
    }

    #[test]
    fn what_a_trusted_proxy_passes_on_is_bounded_and_plain() {
        let long = "192.0.2.9,".repeat(300);
        for way in [long.as_str(), "192.0.2.9, a b", "192.0.2.9, \u{e9}"] {
            let told = told_of("10.0.0.2", &[("X-Forwarded-For", way)]);
            assert_eq!((told.way.as_str(), told.client.as_str()), ("10.0.0.2", "10.0.0.2"));
        }
        let told = told_of(
            "10.0.0.2",
            &[
                ("X-Forwarded-Host", "a b"),
                ("X-Forwarded-Port", "99999"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Proto", "http"),
            ],
        );
        assert_eq!(
            (told.proto, told.host.as_str(), told.port.as_str()),
            ("http", "a.test:8080", "8080")
        );
    }
}
