//! Whole lists, page by page.

use super::error::CallError;
use crate::page::{ListQuery, Page};

/// All items of a list, page by page.
pub async fn all<Q: ListQuery, T>(
    mut query: Q,
    list: impl AsyncFn(&Q) -> Result<Page<T>, CallError>,
) -> Result<Vec<T>, CallError> {
    let mut items = Vec::new();
    loop {
        let page = list(&query).await?;
        items.extend(page.items);
        match page.next_token {
            Some(token) => query.go_on(token),
            None => return Ok(items),
        }
    }
}
