//! How files are named and how long they get.

use super::{read, sources};

/// Longest file in lines; a longer one says why in a line that begins with `//! Long because`.
const LONGEST_FILE: usize = 500;

#[test]
fn files_are_named_by_what_they_hold() {
    let bad = ["mod.rs", "util.rs", "utils.rs", "common.rs", "helpers.rs", "misc.rs", "types.rs"];
    for path in sources() {
        let name = path.file_name().expect("a file has a name").to_string_lossy();
        assert!(!bad.contains(&&*name), "{} says nothing about what it holds", path.display());
    }
}

#[test]
fn no_file_is_longer_than_one_idea() {
    let mut long = Vec::new();
    for path in sources() {
        let text = read(&path);
        let lines = text.lines().count();
        let reason = text.lines().any(|line| line.starts_with("//! Long because"));
        if lines > LONGEST_FILE && !reason {
            long.push(format!("{} has {lines} lines", path.display()));
        }
    }
    assert!(long.is_empty(), "one idea per file, or a reason: {long:#?}");
}

#[test]
fn nothing_is_left_open_in_the_code() {
    let open = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("unimpl", "emented!(")];
    for path in sources() {
        let text = read(&path);
        for word in open {
            assert!(!text.contains(word), "{} holds {word}", path.display());
        }
    }
}
