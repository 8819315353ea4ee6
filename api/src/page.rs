//! Lists come in pages: a bounded number of items, and a token that asks for the next ones.

use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// A part of a list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    /// The items, in the order of the list.
    pub items: Vec<T>,
    /// What asks for the next page; absent on the last one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_token: Option<NextToken>,
}

/// Which page of a list that has no other choice.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct PageQuery {
    /// Items of a page at most.
    #[serde(default)]
    #[param(inline)]
    pub limit: Limit,
    /// `nextToken` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub next_token: Option<NextToken>,
}

/// Items of a page at most: 1 to 1000, 100 unless it is given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u32, minimum = 1, maximum = 1000, default = 100)]
pub struct Limit(NonZeroU32);

/// A number that is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the limit is {0}; use 1 to 1000")]
pub struct LimitError(u32);

impl Limit {
    /// The most that a page holds.
    pub const MOST: Self = Self(NonZeroU32::new(1_000).expect("1000 is not 0"));

    /// How many items.
    pub fn get(self) -> usize {
        self.0.get() as usize
    }
}

impl Default for Limit {
    fn default() -> Self {
        Self(NonZeroU32::new(100).expect("100 is not 0"))
    }
}

impl TryFrom<u32> for Limit {
    type Error = LimitError;

    fn try_from(number: u32) -> Result<Self, LimitError> {
        let limit = NonZeroU32::new(number).map(Self).ok_or(LimitError(number))?;
        if limit.0 > Self::MOST.0 { Err(LimitError(number)) } else { Ok(limit) }
    }
}

impl From<Limit> for u32 {
    fn from(limit: Limit) -> Self {
        limit.0.get()
    }
}

/// Where the next page begins. Only the server that gave it knows what it says; it stays good while the list changes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(transparent)]
#[schema(value_type = String)]
pub struct NextToken(pub String);

/// A query that asks for one page of a list.
pub trait ListQuery {
    /// Asks for the page behind.
    fn go_on(&mut self, token: NextToken);
}

impl ListQuery for PageQuery {
    fn go_on(&mut self, token: NextToken) {
        self.next_token = Some(token);
    }
}

impl<T> Page<T> {
    /// A list that is one page.
    pub fn whole(items: Vec<T>) -> Self {
        Self { items, next_token: None }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_1_to_1000() {
        for good in [1, 100, 1_000] {
            assert_eq!(u32::from(Limit::try_from(good).unwrap()), good);
        }
        for bad in [0, 1_001, u32::MAX] {
            assert_eq!(Limit::try_from(bad), Err(LimitError(bad)));
        }
    }
}
