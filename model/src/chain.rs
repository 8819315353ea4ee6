//! An error with its causes, in one line: what a log entry, or a sentence for people, needs to be enough.

use std::error::Error;

/// The error and what caused it, each once: some libraries print their cause in their own message already.
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(cause) = next {
        let said = cause.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        next = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Link(&'static str, #[source] Option<Box<Link>>);

    #[test]
    fn each_cause_is_said_once() {
        let cause = Link("the disk is full", None);
        let repeated = Link("cannot write: the disk is full", Some(Box::new(cause)));
        let top = Link("cannot join", Some(Box::new(repeated)));
        assert_eq!(chain(&top), "cannot join: cannot write: the disk is full");
    }
}
