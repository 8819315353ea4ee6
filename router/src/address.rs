//! Host and path of a request in the one spelling that is matched and forwarded, so that no target reads another address
//! than the rules did. What could be read in two ways is refused.

use std::net::Ipv6Addr;

use crate::sentence::request;

/// Longest host name in DNS.
const LONGEST_HOST: usize = 253;
/// Longest label of a host name.
const LONGEST_LABEL: usize = 63;

/// Why a request is answered 400.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadRequest {
    /// No host.
    #[error("{}", request::no_host())]
    NoHost,
    /// No host name or address.
    #[error("{}", request::bad_host(.0))]
    Host(String),
    /// Not from the root.
    #[error("{}", request::relative_path(.0))]
    Relative(String),
    /// A character that a path cannot have.
    #[error("{}", request::bad_character(.0))]
    Character(String),
    /// An encoded character that targets read in different ways.
    #[error("{}", request::ambiguous_character(.0))]
    Ambiguous(String),
    /// A percent sign without its two digits.
    #[error("{}", request::bad_encoding(.0))]
    Encoding(String),
}

/// What of a request is repeated to its sender: little, and nothing that a page or a terminal would act on.
fn quoted(text: &str) -> String {
    text.escape_debug().take(80).collect()
}

/// The host of a Host header or an authority: lower case, without port and final dot. An IPv6 address keeps its brackets.
pub(crate) fn host(header: &str) -> Result<String, BadRequest> {
    if header.is_empty() {
        return Err(BadRequest::NoHost);
    }
    let bad = || BadRequest::Host(quoted(header));
    if let Some(rest) = header.strip_prefix('[') {
        let (address, port) = rest.split_once(']').ok_or_else(bad)?;
        let address: Ipv6Addr = address.parse().ok().ok_or_else(bad)?;
        return if is_port(port) { Ok(format!("[{address}]")) } else { Err(bad()) };
    }
    let (name, port) = header.split_at(header.find(':').unwrap_or(header.len()));
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        (1..=LONGEST_LABEL).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    if name.len() > LONGEST_HOST || !name.split('.').all(is_label) || !is_port(port) {
        return Err(bad());
    }
    Ok(name.to_ascii_lowercase())
}

/// Nothing, or a colon with or without a number.
fn is_port(text: &str) -> bool {
    text.is_empty()
        || text.strip_prefix(':').is_some_and(|port| {
            port.is_empty()
                || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok())
        })
}

/// The path of a request, without its query: what needs no encoding is decoded, runs of slashes are one, and dot segments
/// are resolved, never above the root.
pub(crate) fn path(raw: &str) -> Result<String, BadRequest> {
    if raw.is_empty() {
        return Ok("/".to_owned());
    }
    if !raw.starts_with('/') {
        return Err(BadRequest::Relative(quoted(raw)));
    }
    let decoded = decoded(raw)?;
    let mut segments: Vec<&str> = Vec::new();
    for segment in decoded.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(segments.pop()),
            name => segments.push(name),
        }
    }
    let is_folder = matches!(decoded.rsplit('/').next(), Some("" | "." | ".."));
    let mut path = String::with_capacity(decoded.len());
    for segment in &segments {
        path.push('/');
        path.push_str(segment);
    }
    if is_folder || segments.is_empty() {
        path.push('/');
    }
    Ok(path)
}

/// With what need not be encoded decoded, and capital letters in what stays encoded.
fn decoded(raw: &str) -> Result<String, BadRequest> {
    let mut path = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(character) = rest.chars().next() {
        let piece;
        (piece, rest) = rest.split_at(character.len_utf8());
        match character {
            '%' => {
                let byte;
                (byte, rest) = encoded_byte(rest).ok_or_else(|| {
                    let from = raw.len() - rest.len() - 1;
                    BadRequest::Encoding(quoted(&raw[from..].chars().take(3).collect::<String>()))
                })?;
                path.push_str(&spelled(byte)?);
            }
            _ if character.is_ascii_graphic() && !"#?\\".contains(character) => {
                path.push(character);
            }
            _ => return Err(BadRequest::Character(quoted(piece))),
        }
    }
    Ok(path)
}

/// How a byte that came encoded is written.
fn spelled(byte: u8) -> Result<String, BadRequest> {
    let encoded = format!("%{byte:02X}");
    match byte {
        0 | b'/' | b'\\' => Err(BadRequest::Ambiguous(encoded)),
        b'-' | b'.' | b'_' | b'~' => Ok(char::from(byte).to_string()),
        _ if byte.is_ascii_alphanumeric() => Ok(char::from(byte).to_string()),
        _ => Ok(encoded),
    }
}

/// The byte that two hexadecimal digits at the beginning say, and what is behind them.
fn encoded_byte(text: &str) -> Option<(u8, &str)> {
    let (digits, behind) = text.split_at_checked(2)?;
    let all = digits.bytes().all(|digit| digit.is_ascii_hexdigit());
    if !all {
        return None;
    }
    u8::from_str_radix(digits, 16).ok().map(|byte| (byte, behind))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_host_is_lower_case_without_port_and_final_dot() {
        for (header, expected) in [
            ("Hello.Localhost:8080", "hello.localhost"),
            ("hello.localhost.", "hello.localhost"),
            ("hello.localhost.:80", "hello.localhost"),
            ("hello.localhost:", "hello.localhost"),
            ("xn--bcher-kva.example", "xn--bcher-kva.example"),
            ("my_app", "my_app"),
            ("127.0.0.1:8080", "127.0.0.1"),
            ("[::1]", "[::1]"),
            ("[2001:DB8:0::1]:8080", "[2001:db8::1]"),
        ] {
            assert_eq!(host(header).as_deref(), Ok(expected), "{header}");
        }
    }

    #[test]
    fn a_host_that_is_none_is_refused() {
        assert_eq!(host(""), Err(BadRequest::NoHost));
        let long = format!("{}.com", "a".repeat(64));
        for header in [
            ".",
            ":80",
            "a..b",
            ".a",
            "a..",
            "a b",
            "a/b",
            "a@b",
            "user@a:80",
            "a:b",
            "a:99999",
            "a:+80",
            "a:80:80",
            "::1",
            "[::1",
            "[::1]x",
            "[::1]80",
            "[::1]:x",
            "[a]",
            "[fe80::1%eth0]",
            "a%2eb",
            "a,b",
            "*.a",
            "b\u{fc}cher.example",
            "a\0",
            "a\r\nb",
            long.as_str(),
        ] {
            assert!(matches!(host(header), Err(BadRequest::Host(_))), "{header:?}");
        }
        assert!(host(&["a"; 128].join(".")).is_err());
    }

    #[test]
    fn a_path_has_one_spelling() {
        for (raw, expected) in [
            ("", "/"),
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/b/", "/a/b/"),
            ("//a///b//", "/a/b/"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/a/..", "/"),
            ("/a/b/..", "/a/"),
            ("/a/.", "/a/"),
            ("/../../etc/passwd", "/etc/passwd"),
            ("/a//../b", "/b"),
            ("/a/%2e%2E/b", "/b"),
            ("/a/.%2e", "/"),
            ("/a/...", "/a/..."),
            ("/%61dmin", "/admin"),
            ("/a%20b%c3%bc", "/a%20b%C3%BC"),
            ("/%2561", "/%2561"),
            ("/a;v=1,2&x=@:!$'()*+", "/a;v=1,2&x=@:!$'()*+"),
        ] {
            assert_eq!(path(raw).as_deref(), Ok(expected), "{raw}");
        }
    }

    #[test]
    fn a_path_that_can_be_read_in_two_ways_is_refused() {
        for raw in ["/a%2fb", "/a%2Fb", "/a%5cb", "/a%5Cb", "/..%2fb", "/a%00"] {
            assert!(matches!(path(raw), Err(BadRequest::Ambiguous(_))), "{raw}");
        }
        for raw in ["/a\\b", "/a#b", "/a?b", "/a b", "/a\0", "/a\nb", "/a\u{7f}", "/\u{fc}"] {
            assert!(matches!(path(raw), Err(BadRequest::Character(_))), "{raw:?}");
        }
        for raw in ["/%", "/%a", "/%zz", "/%+1", "/% 1", "/%\u{fc}"] {
            assert!(matches!(path(raw), Err(BadRequest::Encoding(_))), "{raw:?}");
        }
        for raw in ["*", "a/b", "../a", "http://a/"] {
            assert!(matches!(path(raw), Err(BadRequest::Relative(_))), "{raw}");
        }
    }

    #[test]
    fn a_refusal_is_a_sentence_that_repeats_little() {
        let long = format!("a b{}", "c".repeat(10_000));
        let sentence = host(&long).unwrap_err().to_string();
        assert!(sentence.len() < 200 && sentence.ends_with('.'), "{sentence}");
        let control = path("/\u{1b}[2J").unwrap_err().to_string();
        assert!(control.chars().all(|character| !character.is_control()), "{control}");
    }

    proptest! {
        #[test]
        fn a_path_in_its_spelling_stays_and_never_leaves_the_root(raw in "/([ab./~;]|%2[eE]|%[0-9a-f]{2}){0,24}") {
            if let Ok(once) = path(&raw) {
                prop_assert_eq!(path(&once), Ok(once.clone()));
                prop_assert!(once.starts_with('/') && !once.contains("//"), "{}", once);
                prop_assert!(once.split('/').all(|segment| segment != "." && segment != ".."), "{}", once);
            }
        }

        #[test]
        fn whatever_comes_is_spelled_or_refused(raw in any::<String>(), header in any::<String>()) {
            if let Ok(path) = path(&format!("/{raw}")) {
                prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()));
            }
            if let Ok(once) = host(&header) {
                prop_assert_eq!(host(&once), Ok(once.clone()));
            }
        }
    }
}
