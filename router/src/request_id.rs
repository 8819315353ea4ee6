//! The id of a request: on the request to the target, on its response and on every page of the router. A client's own id
//! is kept if it is short and safe in a header, a log and HTML.

/// Its header.
pub(crate) const HEADER: &str = "x-request-id";
/// The longest that is kept.
const LONGEST: usize = 64;

/// The client's id if it is safe; else a new one.
pub(crate) fn of(sent: Option<&[u8]>) -> String {
    let sent = sent.and_then(|sent| std::str::from_utf8(sent).ok()).filter(|sent| is_safe(sent));
    sent.map_or_else(fresh, ToOwned::to_owned)
}

/// A new id.
pub(crate) fn fresh() -> String {
    format!("{:032x}", rand::random::<u128>())
}

fn is_safe(id: &str) -> bool {
    (1..=LONGEST).contains(&id.len())
        && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clients_id_is_kept_only_if_it_is_short_and_safe() {
        assert_eq!(of(Some(b"order-17_a.b")), "order-17_a.b");
        let long = "a".repeat(65);
        for bad in [&b""[..], b"a b", b"<b>", b"\xff", b"a\"", long.as_bytes()] {
            assert_eq!(of(Some(bad)).len(), 32, "{bad:?}");
        }
        assert_ne!(of(None), of(None));
    }
}
