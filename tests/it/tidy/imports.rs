//! Which modules of its own crate a file imports: read from its tokens, with no more of the grammar than that takes.
//!
//! An import is a `use` or a path in an expression or type. No imports are: `mod x;`, which every parent needs; a `pub use`
//! of any visibility, which hands on a name (whoever uses it imports the file that has it); what code behind `#[cfg(test)]`
//! in the same file uses; and names in strings and macros' own definitions.

/// A path as it is written, by its segments.
pub(super) type Path = Vec<String>;

/// What a file imports and hands on.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// Paths that it uses.
    pub(super) used: Vec<Path>,
    /// Names that it hands on, with the paths behind them; `*` for all of a module.
    pub(super) handed_on: Vec<(String, Path)>,
}

impl Imports {
    /// Those of a file's text.
    pub(super) fn of(text: &str) -> Self {
        let tokens = tokens(text);
        let mut reader = Reader { tokens: &tokens, at: 0, inner: Vec::new(), depth: 0 };
        let mut imports = Self::default();
        reader.file(&mut imports);
        imports
    }
}

struct Reader<'a> {
    tokens: &'a [String],
    at: usize,
    /// Depths of braces at which modules in the file begin: inside of them `super` is one step less.
    inner: Vec<usize>,
    depth: usize,
}

impl Reader<'_> {
    fn peek(&self, ahead: usize) -> &str {
        self.tokens.get(self.at + ahead).map_or("", String::as_str)
    }

    fn file(&mut self, imports: &mut Imports) {
        let mut for_tests = false;
        while self.at < self.tokens.len() {
            match (self.peek(0), self.peek(1), self.peek(2)) {
                ("#", ..) => for_tests |= self.attribute(),
                ("mod", _, "{") if for_tests => {
                    self.at += 2;
                    self.skip_group("{", "}");
                    for_tests = false;
                }
                ("mod", _, "{") => {
                    self.at += 3;
                    self.depth += 1;
                    self.inner.push(self.depth);
                }
                ("pub", ..) => {
                    self.at += 1;
                    if self.peek(0) == "(" {
                        self.skip_group("(", ")");
                    }
                    if self.peek(0) == "use" {
                        let tree = self.use_tree();
                        imports.handed_on.extend(tree.into_iter().map(|(path, name)| (name, path)));
                        for_tests = false;
                    }
                }
                // Not an import, but what a returned `impl Trait` captures.
                ("use", "<", _) => self.at += 2,
                ("use", ..) => {
                    let tree = self.use_tree();
                    if !for_tests {
                        imports.used.extend(tree.into_iter().map(|(path, _)| path));
                    }
                    for_tests = false;
                }
                // `::name` is another crate, or goes on behind `<T>`.
                ("::", next, _) if is_name(next) => {
                    self.at += 1;
                    self.path();
                }
                (first, "::", _) if is_name(first) => {
                    let path = self.path();
                    imports.used.extend(self.outward(path));
                    for_tests = false;
                }
                (token, ..) => {
                    match token {
                        "{" => self.depth += 1,
                        "}" => {
                            self.inner.retain(|depth| *depth < self.depth);
                            self.depth = self.depth.saturating_sub(1);
                        }
                        _ => {}
                    }
                    self.at += 1;
                    for_tests = false;
                }
            }
        }
    }

    /// Skips an attribute; whether it says that what follows is for tests, as `#[cfg(test)]` does.
    fn attribute(&mut self) -> bool {
        self.at += 1;
        if self.peek(0) == "!" {
            self.at += 1;
        }
        let begin = self.at;
        self.skip_group("[", "]");
        let attribute = &self.tokens[begin..self.at];
        let is_negated = attribute.windows(3).any(|three| three == ["not", "(", "test"]);
        attribute.starts_with(&["[".to_owned(), "cfg".to_owned()])
            && attribute.iter().any(|token| token == "test")
            && !is_negated
    }

    fn skip_group(&mut self, open: &str, close: &str) {
        let mut depth = 0_usize;
        while self.at < self.tokens.len() {
            let token = self.peek(0);
            depth += usize::from(token == open);
            let closes = token == close;
            self.at += 1;
            if closes {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return;
                }
            }
        }
    }

    fn path(&mut self) -> Path {
        let mut path = vec![self.peek(0).to_owned()];
        self.at += 1;
        while self.peek(0) == "::" && is_name(self.peek(1)) {
            path.push(self.peek(1).to_owned());
            self.at += 2;
        }
        // What follows may be `::<T>` or `::{`: neither adds a module.
        path
    }

    /// The paths of a `use`, each with the name under which it is known here.
    fn use_tree(&mut self) -> Vec<(Path, String)> {
        self.at += 1;
        let mut all = Vec::new();
        self.branch(&Vec::new(), &mut all);
        let outward = all.into_iter().filter_map(|(path, name)| Some((self.outward(path)?, name)));
        outward.collect()
    }

    fn branch(&mut self, before: &Path, all: &mut Vec<(Path, String)>) {
        let mut path = before.clone();
        loop {
            match self.peek(0) {
                "::" => self.at += 1,
                "{" => {
                    self.at += 1;
                    while self.at < self.tokens.len() && self.peek(0) != "}" {
                        self.branch(&path, all);
                        if self.peek(0) == "," {
                            self.at += 1;
                        }
                    }
                    self.at += 1;
                    return;
                }
                "as" => {
                    all.push((path, self.peek(1).to_owned()));
                    self.at += 2;
                    return;
                }
                "," | ";" | "}" | "" => {
                    let name = path.last().cloned().unwrap_or_default();
                    all.push((path, name));
                    return;
                }
                // `use x::{self}` names the module itself.
                "self" if !path.is_empty() => self.at += 1,
                segment => {
                    path.push(segment.to_owned());
                    self.at += 1;
                }
            }
        }
    }

    /// A path as the file's own module would write it; None where it stays inside of a module in the file.
    fn outward(&self, path: Path) -> Option<Path> {
        let inside = self.inner.len();
        let ups = path.iter().take_while(|segment| *segment == "super").count();
        if inside == 0 || path.first().is_some_and(|first| first == "crate") {
            return Some(path);
        }
        match ups.cmp(&inside) {
            std::cmp::Ordering::Less => None,
            std::cmp::Ordering::Equal => {
                Some(std::iter::once("self".to_owned()).chain(path.into_iter().skip(ups)).collect())
            }
            std::cmp::Ordering::Greater => Some(path.into_iter().skip(inside).collect()),
        }
    }
}

fn is_name(token: &str) -> bool {
    token.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
}

/// Words, `::` and single signs; without comments and literals.
fn tokens(text: &str) -> Vec<String> {
    let mut rest = text;
    let mut tokens = Vec::new();
    while let Some(first) = rest.chars().next() {
        let length = if let Some(length) = comment(rest).or_else(|| literal(rest)) {
            length
        } else if first.is_ascii_alphanumeric() || first == '_' {
            let end = rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
            let word = &rest[..end.unwrap_or(rest.len())];
            tokens.push(word.to_owned());
            word.len()
        } else if rest.starts_with("::") {
            tokens.push("::".to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[length..];
    }
    tokens
}

/// The length of a comment that begins here.
fn comment(text: &str) -> Option<usize> {
    if text.starts_with("//") {
        return Some(text.find('\n').unwrap_or(text.len()));
    }
    text.starts_with("/*").then(|| text.find("*/").map_or(text.len(), |end| end + 2))
}

/// The length of a string or character that begins here. `'a` is a lifetime, and `'a'` is a character.
fn literal(text: &str) -> Option<usize> {
    let after_prefix = text.trim_start_matches(['b', 'c']);
    let prefix = text.len() - after_prefix.len();
    if let Some(raw) = after_prefix.strip_prefix('r').filter(|_| prefix < 2) {
        let hashes = raw.len() - raw.trim_start_matches('#').len();
        if raw[hashes..].starts_with('"') {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = prefix + 1 + hashes + 1;
            let length = text[begin..].find(&end).map_or(text.len() - begin, |at| at + end.len());
            return Some(begin + length);
        }
    }
    let quote = after_prefix.chars().next().filter(|c| ['"', '\''].contains(c) && prefix < 2)?;
    let inside = &after_prefix[1..];
    if quote == '\'' && !inside.starts_with('\\') {
        let mut chars = inside.char_indices().skip(1);
        let (at, next) = chars.next()?;
        return (next == '\'').then_some(prefix + 1 + at + 1);
    }
    let mut escaped = false;
    let end = inside.find(|c: char| {
        let ends = c == quote && !escaped;
        escaped = c == '\\' && !escaped;
        ends
    });
    Some(end.map_or(text.len(), |at| prefix + 1 + at + 1))
}

#[test]
fn imports_are_read_as_they_are_written() {
    let imports = Imports::of(
        r#"
        //! use crate::comment;
        pub(crate) use handed::On;
        use crate::a::{self, b::C, d as e};
        mod declared;
        fn f<'a>(x: &'a str) -> super::g::H { let s = "crate::string"; let c = '"'; ::other::crates(); crate::i::j::<u8>(x) }
        mod inner { use super::k::L; use super::super::m; fn n() { o::p() } }
        #[cfg(test)]
        mod tests { use crate::only::tests; }
        #[cfg(all(test, feature = "loud"))]
        mod loud_tests { use super::*; }
        "#,
    );
    let used: Vec<String> = imports.used.iter().map(|path| path.join("::")).collect();
    assert_eq!(
        used,
        [
            "crate::a",
            "crate::a::b::C",
            "crate::a::d",
            "super::g::H",
            "crate::i::j",
            "self::k::L",
            "super::m"
        ]
    );
    let handed_on = [("On".to_owned(), vec!["handed".to_owned(), "On".to_owned()])];
    assert_eq!(imports.handed_on, handed_on);
}
