//! Header fields that hold for one connection only (RFC 9110 section 7.6.1).

/// Fields that a proxy does not pass on.
const HOP: [&str; 7] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "upgrade",
];

/// The fields of one message that hold for its connection only.
#[derive(Debug, Clone, Default)]
pub struct Hop<'a> {
    named: Vec<&'a [u8]>,
    /// Whether the connection ends with the message.
    pub closes: bool,
}

impl<'a> Hop<'a> {
    /// Of a message with these fields.
    pub fn of(fields: &'a [httparse::Header<'a>]) -> Self {
        let mut hop = Self::default();
        for field in fields.iter().filter(|field| field.name.eq_ignore_ascii_case("connection")) {
            for option in elements(field.value) {
                if option.eq_ignore_ascii_case(b"close") {
                    hop.closes = true;
                } else if !option.eq_ignore_ascii_case(b"keep-alive") {
                    hop.named.push(option);
                }
            }
        }
        hop
    }

    /// Whether a field holds for the connection only. What says how the message ends or whom it is for is never taken out,
    /// whatever `Connection` names.
    pub fn holds(&self, name: &str) -> bool {
        let is = |other: &[u8]| other.eq_ignore_ascii_case(name.as_bytes());
        if [&b"host"[..], b"content-length", b"transfer-encoding"].into_iter().any(is) {
            return false;
        }
        HOP.iter().any(|hop| is(hop.as_bytes())) || self.named.iter().any(|named| is(named))
    }
}

/// The elements of a list (RFC 9110 section 5.6.1).
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_connection_names_is_for_the_connection_but_for_what_frames_the_message() {
        let value = &b"close, X-One ,,content-length,Host"[..];
        let fields = [httparse::Header { name: "Connection", value }];
        let hop = Hop::of(&fields);
        assert!(hop.closes && hop.holds("x-one") && hop.holds("Keep-Alive") && hop.holds("TE"));
        assert!(!hop.holds("Content-Length") && !hop.holds("host") && !hop.holds("X-Two"));
        assert!(!Hop::of(&[]).closes);
    }
}
