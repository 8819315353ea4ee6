//! The known word that a misspelt one was probably meant to be.

/// The known word with the fewest edits to it, if they are few enough for a typing slip: a third of its bytes, at least two.
pub(crate) fn nearest<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.len() / 3).max(2);
    known
        .into_iter()
        .map(|candidate| (strsim::levenshtein(word, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_recognised_and_a_stranger_is_not() {
        let known = ["registry.listen", "router.listen", "log.level"];
        assert_eq!(nearest("registry.listn", known), Some("registry.listen"));
        assert_eq!(nearest("ruoter.listen", known), Some("router.listen"));
        assert_eq!(nearest("colour", known), None);
    }
}
