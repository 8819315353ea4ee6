//! A [`Config`] exists only if every value in it was checked: no part of the program gets a bad setting, and no port is bound
//! before all of them are valid.
//!
//! Each setting comes from the first of flags, environment and file that names it, else from its default, and remembers
//! which ([`Origin`]). All problems are reported at once, each with its key and the place where it was set. This is the
//! only crate that reads the environment; the price is that everything else gets plain values passed in.

mod check;
mod checked;
mod nearest;
mod origin;
mod problem;
mod setting;
mod source;
mod value;

#[cfg(test)]
mod tests;

pub use checked::{Agent, Client, Config, Flags, Link, Log, LogFormat, Router, Shown};
pub use origin::Origin;
pub use problem::{ConfigError, Problem};
pub use setting::{SETTINGS, Setting};

use source::Sources;

/// Reads file and environment, and checks all of it together with the flags.
pub fn load(flags: &Flags) -> Result<Config, ConfigError> {
    // A variable that is not UTF-8 is skipped: all settings are text.
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)));
    load_from(flags, variables)
}

/// The same with an environment that is given.
pub fn load_from(
    flags: &Flags,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Config, ConfigError> {
    let mut sources = Sources::gather(flags, environment.into_iter().collect());
    let config = check::config(&mut sources);
    match config {
        Some(config) if sources.problems.is_empty() => Ok(config),
        Some(_) | None => Err(ConfigError { problems: sources.problems }),
    }
}
