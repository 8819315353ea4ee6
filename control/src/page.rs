//! Cuts lists into pages. A page ends with the key of its last item, so the next one begins behind it whatever was added
//! or removed in between.

use api::{Limit, NextToken, Page};
use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::Refused;

/// The page of `items` behind `token`, in the order of their keys. Only its own items are described.
pub(crate) fn page<T, K, U>(
    items: impl Iterator<Item = T>,
    key: impl Fn(&T) -> K,
    limit: Limit,
    token: Option<&NextToken>,
    describe: impl FnMut(T) -> U,
) -> Result<Page<U>, Refused>
where
    K: Ord + Serialize + DeserializeOwned,
{
    let after: Option<K> = token.map(read).transpose()?;
    let keyed = items.map(|item| (key(&item), item));
    let mut rest: Vec<(K, T)> =
        keyed.filter(|(key, _)| after.as_ref().is_none_or(|after| key > after)).collect();
    rest.sort_by(|one, other| one.0.cmp(&other.0));
    let goes_on = rest.len() > limit.get();
    rest.truncate(limit.get());
    let next_token = rest.last().filter(|_| goes_on).map(|(key, _)| write(key));
    Ok(Page { items: rest.into_iter().map(|(_, item)| item).map(describe).collect(), next_token })
}

/// The token of a key.
pub(crate) fn write<K: Serialize>(key: &K) -> NextToken {
    let json = serde_json::to_vec(key).expect("a key is plain data");
    NextToken(BASE64_URL_SAFE_NO_PAD.encode(json))
}

/// The key of a token that this list gave.
pub(crate) fn read<K: DeserializeOwned>(token: &NextToken) -> Result<K, Refused> {
    let json = BASE64_URL_SAFE_NO_PAD.decode(&token.0).ok();
    json.and_then(|json| serde_json::from_slice(&json).ok()).ok_or(Refused::ForeignToken)
}

#[cfg(test)]
mod tests {
    use std::cmp::Reverse;

    use super::*;

    fn limit(number: u32) -> Limit {
        number.try_into().unwrap()
    }

    #[test]
    fn pages_together_are_the_list_in_its_order() {
        let numbers = [5, 3, 9, 1, 7];
        let (mut seen, mut token) = (Vec::new(), None);
        loop {
            let page = page(numbers.iter(), |n| Reverse(**n), limit(2), token.as_ref(), |n| *n);
            let page = page.unwrap();
            assert!(page.items.len() <= 2);
            seen.extend(page.items);
            token = page.next_token;
            if token.is_none() {
                break;
            }
        }
        assert_eq!(seen, [9, 7, 5, 3, 1]);
    }

    #[test]
    fn a_page_goes_on_behind_an_item_that_is_gone() {
        let first = page([1, 2, 3].iter(), |n| **n, limit(2), None, |n| *n).unwrap();
        let token = first.next_token.unwrap();
        let second = page([1, 3, 4].iter(), |n| **n, limit(2), Some(&token), |n| *n).unwrap();
        assert_eq!((second.items.as_slice(), second.next_token), ([3, 4].as_slice(), None));
    }

    #[test]
    fn a_token_that_no_list_gave_is_refused() {
        for bad in ["", "x", "!!", "WyJhIl0"] {
            assert!(read::<u32>(&NextToken(bad.to_owned())).is_err(), "{bad}");
        }
    }
}
