//! Query strings and forms: pairs of text, percent-encoded, keys possibly repeated; and the two that page a list.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::error::RegistryError;
use crate::error_kind::ErrorKind;

/// Entries that one page holds at most; a larger `n` is cut to it.
const LONGEST_PAGE: usize = 1_000;

/// The pairs of a query string or form, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Query(Vec<(String, String)>);

impl Query {
    /// What cannot be decoded stays as it is; the grammar of names and digests then refuses it.
    pub(crate) fn parse(text: &str) -> Self {
        Self(form_urlencoded::parse(text.as_bytes()).into_owned().collect())
    }

    /// The first value of a name.
    pub(crate) fn first(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// All values of a name.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// What stays as it is in a value of a query string: RFC 3986's unreserved characters, and what digests and names hold.
const PLAIN: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/').remove(b':');

/// Text as a value of a query string.
pub(crate) fn encode(text: &str) -> String {
    utf8_percent_encode(text, PLAIN).to_string()
}

/// Which part of a list is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Page {
    /// Entries at most.
    pub(crate) n: usize,
    /// Only entries after this one, which need not exist.
    pub(crate) last: Option<String>,
}

impl Page {
    pub(crate) fn of(query: &Query) -> Result<Self, RegistryError> {
        let n = match query.first("n") {
            None => LONGEST_PAGE,
            Some(text) if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) => {
                // A number that is too large for the type is more than a page holds.
                text.parse().map_or(LONGEST_PAGE, |n: usize| n.min(LONGEST_PAGE))
            }
            Some(text) => {
                let text: String = text.chars().take(40).collect();
                return Err(ErrorKind::InvalidPage(text).into());
            }
        };
        let last = query.first("last").filter(|last| !last.is_empty()).map(ToOwned::to_owned);
        Ok(Self { n, last })
    }

    /// The first entries after `last`, and whether more follow. `entries` are in byte order of their keys.
    pub(crate) fn cut<T>(
        &self,
        entries: impl Iterator<Item = T>,
        key: impl Fn(&T) -> &str,
    ) -> (Vec<T>, bool) {
        let behind = |entry: &T| self.last.as_deref().is_none_or(|last| key(entry) > last);
        let mut entries = entries.filter(behind);
        let page: Vec<T> = entries.by_ref().take(self.n).collect();
        let more = self.n > 0 && entries.next().is_some();
        (page, more)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn page(query: &str) -> Result<Page, RegistryError> {
        Page::of(&Query::parse(query))
    }

    #[test]
    fn pairs_are_decoded_and_names_may_repeat() {
        let query = Query::parse("a=1&scope=repository%3Ax:pull&scope=b+c&&d&e=%zz%");
        assert_eq!(query.first("a"), Some("1"));
        assert_eq!(query.all("scope").collect::<Vec<_>>(), ["repository:x:pull", "b c"]);
        assert_eq!((query.first("d"), query.first("e")), (Some(""), Some("%zz%")));
        assert_eq!(query.first("f"), None);
    }

    #[test]
    fn a_page_is_never_longer_than_the_longest() {
        assert_eq!(page("").unwrap().n, LONGEST_PAGE);
        assert_eq!(page("n=0").unwrap().n, 0);
        for huge in ["n=1001", "n=9223372036854775808", "n=99999999999999999999999999"] {
            assert_eq!(page(huge).unwrap().n, LONGEST_PAGE, "{huge}");
        }
        for bad in ["n=-1", "n=", "n=1x", "n=0x10"] {
            assert!(page(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_page_begins_behind_an_entry_that_need_not_be_there() {
        let all = ["a", "c", "d", "e"];
        let cut = |query: &str| page(query).unwrap().cut(all.into_iter(), |entry| entry);
        assert_eq!(cut("n=2&last=b"), (vec!["c", "d"], true));
        assert_eq!(cut("n=2&last=c"), (vec!["d", "e"], false));
        assert_eq!(cut("n=0"), (vec![], false));
        assert_eq!(cut("last=z"), (vec![], false));
    }

    proptest! {
        #[test]
        fn what_is_encoded_decodes_to_itself(text in ".{0,40}") {
            let query = Query::parse(&format!("a={}", encode(&text)));
            prop_assert_eq!(query.first("a"), Some(text.as_str()));
        }

        #[test]
        fn no_text_panics_the_decoder(text in ".{0,40}|[%a-f0-9+&=]{0,40}") {
            drop(page(&text));
        }
    }
}
