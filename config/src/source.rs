//! The values as they are written: flags before environment before file before default.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::Flags;
use crate::nearest::nearest;
use crate::origin::Origin;
use crate::problem::Problem;
use crate::setting::{SETTINGS, find};

/// A value as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw {
    Text(String),
    Integer(i64),
    Boolean(bool),
    /// Of a type that no setting has.
    Other(String),
}

impl Raw {
    fn of(value: &toml::Value) -> Self {
        match value {
            toml::Value::String(text) => Self::Text(text.clone()),
            toml::Value::Integer(number) => Self::Integer(*number),
            toml::Value::Boolean(value) => Self::Boolean(*value),
            toml::Value::Float(_)
            | toml::Value::Datetime(_)
            | toml::Value::Array(_)
            | toml::Value::Table(_) => Self::Other(value.type_str().to_owned()),
        }
    }

    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Integer(number) => number.to_string(),
            Self::Boolean(_) => "a value of type boolean".to_owned(),
            Self::Other(kind) => format!("a value of type {kind}"),
        }
    }
}

/// All values by key, and the problems found so far.
#[derive(Debug)]
pub(crate) struct Sources {
    pub(crate) values: BTreeMap<&'static str, (Raw, Origin)>,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) file: Option<PathBuf>,
    pub(crate) problems: Vec<Problem>,
}

impl Sources {
    pub(crate) fn gather(flags: &Flags, environment: BTreeMap<String, String>) -> Self {
        let mut sources =
            Self { values: BTreeMap::new(), environment, file: None, problems: Vec::new() };
        sources.read_flags(flags);
        sources.read_environment();
        sources.read_file(flags);
        sources
    }

    /// The data directory as far as flags and environment name it.
    pub(crate) fn named_data_dir(&self) -> Option<PathBuf> {
        self.values.get("data_dir").map(|(raw, _)| PathBuf::from(raw.text()))
    }

    /// The user's state directory for Berth; for root the system's.
    pub(crate) fn usual_data_dir(&self) -> Option<PathBuf> {
        let absolute = |name: &str| {
            let path = PathBuf::from(self.environment.get(name)?);
            path.is_absolute().then_some(path)
        };
        if is_root() {
            return Some(PathBuf::from("/var/lib/berth"));
        }
        let state = absolute("XDG_STATE_HOME");
        let state = state.or_else(|| Some(absolute("HOME")?.join(".local/state")));
        state.map(|state| state.join("berth"))
    }

    fn read_flags(&mut self, flags: &Flags) {
        if let Some(dir) = &flags.data_dir {
            self.set("data_dir", Raw::Text(dir.display().to_string()), Origin::Flag);
        }
        // The last one wins, as on every command line.
        for (key, value) in flags.settings.iter().rev() {
            match find(key) {
                Some(setting) => self.set(setting.key, Raw::Text(value.clone()), Origin::Flag),
                None => self.unknown(key, Origin::Flag),
            }
        }
    }

    fn read_environment(&mut self) {
        let ours: Vec<(String, String)> = self
            .environment
            .iter()
            .filter(|(name, value)| name.starts_with("BERTH_") && !value.is_empty())
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        for (name, value) in ours {
            let origin = Origin::Environment(name.clone());
            match SETTINGS.iter().find(|setting| setting.variable() == name) {
                Some(setting) => self.set(setting.key, Raw::Text(value), origin),
                // Other programs may use variables with this prefix, so that only one with a section's prefix counts as
                // misspelt.
                None if in_a_section(&name) => {
                    let known: Vec<String> =
                        SETTINGS.iter().map(crate::Setting::variable).collect();
                    let nearest = nearest(&name, known.iter().map(String::as_str));
                    let nearest = nearest.map(ToOwned::to_owned);
                    self.problems.push(Problem::Unknown { key: name, origin, nearest });
                }
                None => {}
            }
        }
    }

    fn read_file(&mut self, flags: &Flags) {
        let variable = self.environment.get("BERTH_CONFIG").filter(|path| !path.is_empty());
        let named = flags.file.clone().or_else(|| variable.map(PathBuf::from));
        let dir = self.named_data_dir().or_else(|| self.usual_data_dir());
        let Some(path) = named.clone().or_else(|| Some(dir?.join("berth.toml"))) else { return };
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => return,
            Err(error) => {
                let (path, cause) = (path.display().to_string(), error.to_string());
                return self.problems.push(Problem::Unreadable { path, cause });
            }
        };
        match text.parse::<toml::Table>() {
            Ok(table) => self.read_table(&table, &path, named.is_some()),
            Err(error) => {
                let (path, cause) = (path.display().to_string(), error.to_string());
                self.problems.push(Problem::Syntax { path, cause: cause.trim().to_owned() });
            }
        }
        self.file = Some(path);
    }

    fn read_table(&mut self, table: &toml::Table, path: &Path, named: bool) {
        let origin = Origin::File(path.to_owned());
        for (name, value) in table {
            let section = SETTINGS.iter().any(|setting| setting.section() == Some(name));
            if let Some(inner) = value.as_table().filter(|_| section) {
                for (key, value) in inner {
                    self.read_key(&format!("{name}.{key}"), value, &origin);
                }
            } else if section {
                self.problems.push(Problem::Wrong {
                    key: name.clone(),
                    expected: format!("a section, as in `[{name}]`"),
                    given: format!("a value of type {}", value.type_str()),
                    origin: origin.clone(),
                });
            } else if name == "data_dir" && !named {
                self.problems.push(Problem::Unusable {
                    key: name.clone(),
                    given: Raw::of(value).text(),
                    origin: origin.clone(),
                    why: "the file was found through the data directory; name the directory with --data-dir or \
                          BERTH_DATA_DIR, or the file with --config"
                        .to_owned(),
                });
            } else {
                self.read_key(name, value, &origin);
            }
        }
    }

    fn read_key(&mut self, key: &str, value: &toml::Value, origin: &Origin) {
        match find(key) {
            Some(setting) => self.set(setting.key, Raw::of(value), origin.clone()),
            None => self.unknown(key, origin.clone()),
        }
    }

    /// Keeps the first value: sources are read in their order of precedence.
    fn set(&mut self, key: &'static str, raw: Raw, origin: Origin) {
        self.values.entry(key).or_insert((raw, origin));
    }

    fn unknown(&mut self, key: &str, origin: Origin) {
        let nearest = nearest(key, SETTINGS.iter().map(|setting| setting.key));
        let nearest = nearest.map(ToOwned::to_owned);
        self.problems.push(Problem::Unknown { key: key.to_owned(), origin, nearest });
    }
}

fn in_a_section(variable: &str) -> bool {
    SETTINGS.iter().filter_map(crate::Setting::section).any(|section| {
        variable.strip_prefix("BERTH_").is_some_and(|rest| {
            rest.strip_prefix(&section.to_ascii_uppercase()).is_some_and(|end| end.starts_with('_'))
        })
    })
}

/// Whether this process belongs to root.
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt as _;
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}
