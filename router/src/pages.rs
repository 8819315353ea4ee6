//! The pages that a router answers by itself: what is wrong, what to do, and the request's id. Pure text.

use http::StatusCode;

/// A page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// The status.
    pub(crate) status: StatusCode,
    /// The content type of the body.
    pub(crate) content_type: &'static str,
    /// The body.
    pub(crate) body: String,
    /// Seconds after which to try again.
    pub(crate) retry_after: Option<u32>,
}

/// Seconds after which a client may find a target.
const RETRY_AFTER: u32 = 5;

/// The page for a status, with a sentence that explains it.
pub(crate) fn page(status: StatusCode, sentence: &str, id: &str, html: bool) -> Page {
    let name = status.canonical_reason().unwrap_or("Error");
    let code = status.as_u16();
    let (content_type, body) = if html {
        let (sentence, id) = (escaped(sentence), escaped(id));
        let body = format!(
            "<!doctype html>\n<html lang=\"en\">\n<meta charset=\"utf-8\">\n\
             <meta name=\"viewport\" content=\"width=device-width\">\n<title>{code} {name}</title>\n\
             <style>body{{font:16px/1.5 system-ui,sans-serif;max-width:40em;margin:3em auto;padding:0 1em}}\
             small{{color:#666}}</style>\n\
             <h1>{code} {name}</h1>\n<p>{sentence}</p>\n<p><small>Request {id}</small></p>\n</html>\n"
        );
        ("text/html; charset=utf-8", body)
    } else {
        ("text/plain; charset=utf-8", format!("{code} {name}\n{sentence}\nRequest {id}\n"))
    };
    let retry_after = (status == StatusCode::SERVICE_UNAVAILABLE).then_some(RETRY_AFTER);
    Page { status, content_type, body, retry_after }
}

/// Whether a client would rather read HTML.
pub(crate) fn wants_html(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.contains("text/html"))
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            plain => escaped.push(plain),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sentence::routing;

    #[test]
    fn a_page_explains_what_is_wrong_and_carries_the_id_of_the_request() {
        let page = page(StatusCode::NOT_FOUND, &routing::no_rule("a.test", "/x"), "7f", false);
        assert_eq!(
            page.body,
            "404 Not Found\nNo rule sends host `a.test` and path `/x` anywhere. Check both against the URL that the \
             service was deployed with.\nRequest 7f\n"
        );
        assert_eq!((page.content_type, page.retry_after), ("text/plain; charset=utf-8", None));
    }

    #[test]
    fn html_is_for_clients_that_accept_it_and_what_a_client_sent_stays_text() {
        assert!(wants_html(Some("text/html,application/xhtml+xml")));
        assert!(!wants_html(Some("application/json")) && !wants_html(None));
        let page = page(StatusCode::NOT_FOUND, "no `<script>`", "7f", true);
        assert!(page.body.contains("no `&lt;script&gt;`") && !page.body.contains("<script>"));
    }

    #[test]
    fn a_503_carries_when_to_try_again() {
        let retry = |status| page(status, "none", "7f", false).retry_after;
        assert_eq!(retry(StatusCode::SERVICE_UNAVAILABLE), Some(RETRY_AFTER));
        assert_eq!(retry(StatusCode::NOT_FOUND), None);
    }
}
