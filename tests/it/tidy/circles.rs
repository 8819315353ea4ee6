//! No two files of a crate import each other, over any number of files between them: each can be read, tested and moved
//! without those that use it. What counts as an import stands in `imports`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::imports::{self, Imports};
use super::{metadata, name, read, rooms, root, sources};

/// The files of a crate by their modules.
struct Crate(BTreeMap<imports::Path, Imports>);

impl Crate {
    /// With the files below a directory; `top` is the file of the crate itself.
    fn read(directory: &Path, sources: &[std::path::PathBuf]) -> Self {
        let files = sources.iter().filter_map(|file| {
            let below = file.strip_prefix(directory).ok()?.with_extension("");
            let mut module: Vec<String> =
                below.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            if module.len() == 1 && ["lib", "main"].contains(&module[0].as_str()) {
                module.clear();
            }
            Some((module, Imports::of(&read(file))))
        });
        Self(files.collect())
    }

    /// The files that a path of a file leads to: where what it names is, not who hands it on.
    fn resolve(&self, from: &imports::Path, path: &[String], steps: usize) -> Vec<imports::Path> {
        let mut module = from.clone();
        let mut rest = path;
        match rest.first().map(String::as_str) {
            Some("crate") => {
                module.clear();
                rest = &rest[1..];
            }
            Some("self") => rest = &rest[1..],
            Some("super") => {
                while rest.first().is_some_and(|segment| segment == "super") {
                    module.pop();
                    rest = &rest[1..];
                }
            }
            Some(child) => {
                let mut below = from.clone();
                below.push(child.to_owned());
                if !self.0.contains_key(&below) {
                    return Vec::new();
                }
            }
            None => return Vec::new(),
        }
        while let Some(segment) = rest.first() {
            let mut below = module.clone();
            below.push(segment.clone());
            if !self.0.contains_key(&below) {
                break;
            }
            module = below;
            rest = &rest[1..];
        }
        let Some(imports) = self.0.get(&module) else { return Vec::new() };
        let known_as = |name: &str| rest.first().is_some_and(|first| first == name);
        let behind: Vec<&(String, imports::Path)> =
            imports.handed_on.iter().filter(|(name, _)| known_as(name)).collect();
        if behind.is_empty() || steps == 0 {
            return vec![module];
        }
        let paths = behind.iter().map(|(_, path)| [path.as_slice(), &rest[1..]].concat());
        paths.flat_map(|path| self.resolve(&module, &path, steps - 1)).collect()
    }

    fn imported(&self, module: &imports::Path, imports: &Imports) -> BTreeSet<imports::Path> {
        let paths = imports.used.iter().flat_map(|path| self.resolve(module, path, 4));
        paths.filter(|file| file != module).collect()
    }

    /// Groups of files each of which imports each other one of the group, over others or not.
    fn circles(&self) -> Vec<BTreeSet<String>> {
        let edges: BTreeMap<_, _> = self
            .0
            .iter()
            .map(|(module, imports)| (module, self.imported(module, imports)))
            .collect();
        let reach = |from: &imports::Path| {
            let mut reached = BTreeSet::new();
            let mut next: Vec<&imports::Path> = edges[from].iter().collect();
            while let Some(module) = next.pop() {
                if reached.insert(module) {
                    next.extend(&edges[module]);
                }
            }
            reached
        };
        let reached: BTreeMap<_, _> = edges.keys().map(|module| (*module, reach(module))).collect();
        let groups =
            reached.iter().filter(|(module, far)| far.contains(*module)).map(|(module, far)| {
                far.iter()
                    .filter(|other| reached[*other].contains(module))
                    .map(|m| shown(m))
                    .collect()
            });
        groups.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

fn shown(module: &imports::Path) -> String {
    if module.is_empty() { "the top".to_owned() } else { module.join("/") }
}

#[test]
fn no_two_files_import_each_other() {
    let sources = sources();
    let mut found = Vec::new();
    let metadata = metadata();
    let mut crates: Vec<(&str, std::path::PathBuf)> = rooms(&metadata)
        .map(|package| {
            let manifest = package["manifest_path"].as_str().expect("a package has a manifest");
            let directory = Path::new(manifest).parent().expect("a manifest is in a directory");
            (name(package), directory.join("src"))
        })
        .collect();
    crates.push(("it", root().join("tests/it")));
    for (name, directory) in crates {
        let circles = Crate::read(&directory, &sources).circles().into_iter();
        found.extend(circles.map(|files| format!("{name}: {}", Vec::from_iter(files).join(", "))));
    }
    assert!(found.is_empty(), "files that import each other: {found:#?}");
}

#[test]
fn a_circle_is_found_over_names_that_are_handed_on() {
    let file = |path: &str, text: &str| {
        let module = path.split('/').filter(|part| !part.is_empty()).map(ToOwned::to_owned);
        (module.collect::<Vec<_>>(), Imports::of(text))
    };
    let files = [
        file("", "mod a; mod b; mod c; pub use b::B;"),
        file("a", "use super::B; pub struct A(B);"),
        file("b", "fn b() -> crate::c::C { C }"),
        file("c", "use crate::a::A; mod d;"),
        file("c/d", "use super::super::a;"),
    ];
    let circles = Crate(BTreeMap::from(files)).circles();
    assert_eq!(circles, [BTreeSet::from(["a", "b", "c"].map(ToOwned::to_owned))]);
}
