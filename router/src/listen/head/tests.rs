use proptest::prelude::*;

use super::*;

fn body(head: &str) -> Body {
    let text = format!("{head}\r\n\r\nrest");
    let head = read(text.as_bytes()).unwrap().expect("a whole head");
    assert_eq!(head.size, text.len() - 4);
    head.body
}

#[test]
fn a_head_tells_what_follows_it() {
    assert_eq!(body("GET / HTTP/1.1\r\nHost: a"), Body::Sized(0));
    assert_eq!(body("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 12"), Body::Sized(12));
    assert_eq!(body("POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:Chunked"), Body::Chunked);
    assert_eq!(body("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: WebSocket"), Body::Tunnel);
    assert_eq!(body("GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c"), Body::Sized(0));
    assert_eq!(body("GET http://A.test:80/x HTTP/1.1\r\nHost: a.test"), Body::Sized(0));
    assert_eq!(body("OPTIONS * HTTP/1.0\r\nHost: [::1]:80"), Body::Sized(0));
}

#[test]
fn a_tunnel_has_no_body() {
    let head = "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\n";
    let why = "it wants a WebSocket and has a body";
    assert_eq!(read(head.as_bytes()), Err(HeadError::Malformed(why)));
}

#[test]
fn empty_lines_before_a_request_are_passed_over() {
    assert_eq!(blank(b"\r\n\r\nGET"), 4);
    assert_eq!(blank(b"\r\n\r"), 2);
    assert_eq!(blank(b"GET\r\n"), 0);
    assert_eq!(blank(b"\n\r\n"), 0);
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_read_and_a_piece_is_never_read_as_more(
        bytes in prop::collection::vec(prop_oneof![
            Just(b"GET / HTTP/1.1\r\n".to_vec()),
            Just(b"Host: a\r\n".to_vec()),
            Just(b"Content-Length: 3\r\n".to_vec()),
            Just(b"Transfer-Encoding: chunked\r\n".to_vec()),
            Just(b"\r\n".to_vec()),
            prop::collection::vec(any::<u8>(), 0..6),
        ], 0..8)
    ) {
        let bytes = bytes.concat();
        if let Ok(Some(head)) = read(&bytes) {
            prop_assert!(head.size <= bytes.len());
            for end in 0..head.size {
                prop_assert!(matches!(read(&bytes[..end]), Ok(None)));
            }
        }
    }
}
