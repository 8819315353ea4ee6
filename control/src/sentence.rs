//! Every sentence of this room. Nothing decides on one: with the feature `reworded` each is another.

use crate::Refused;

/// Why a request was not done, with what to do next.
pub(crate) fn refused(refused: &Refused) -> String {
    let sentence = match refused {
        Refused::Unmet(unmet) => unmet.to_string(),
        Refused::Commit(error) => error.to_string(),
        Refused::Contended => "somebody else was faster each time: try again".to_owned(),
        Refused::HistoryUnreadable(why) => format!("history cannot be read: {why}"),
    };
    reword(sentence)
}

/// The sentence, or another one where a test wants to know that nothing reads it.
fn reword(sentence: String) -> String {
    if cfg!(feature = "reworded") { format!("[{}]", sentence.len()) } else { sentence }
}
