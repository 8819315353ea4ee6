//! Whole lists, page by page.

use super::error::CallError;
use crate::page::{ListQuery, Page};

/// All items of a list, page by page.
pub async fn all<Q: ListQuery, T>(
    query: Q,
    list: impl AsyncFn(&Q) -> Result<Page<T>, CallError>,
) -> Result<Vec<T>, CallError> {
    some(query, usize::MAX, list).await
}

/// The first items of a list, `most` at most, page by page.
pub async fn some<Q: ListQuery, T>(
    mut query: Q,
    most: usize,
    list: impl AsyncFn(&Q) -> Result<Page<T>, CallError>,
) -> Result<Vec<T>, CallError> {
    let mut items = Vec::new();
    while items.len() < most {
        let page = list(&query).await?;
        items.extend(page.items);
        match page.next_token {
            Some(token) => query.go_on(token),
            None => break,
        }
    }
    items.truncate(most);
    Ok(items)
}
