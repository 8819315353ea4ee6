//! `berth config check` and `berth config print`.

use std::process::ExitCode;

use config::Config;
use serde_json::{Value, json};

use cli::output::{self, Format};

/// Prints every setting, its value and where it came from.
pub(crate) fn print(config: &Config, format: Format) -> ExitCode {
    let settings: Vec<Value> = config
        .shown
        .iter()
        .map(|shown| {
            json!({ "key": shown.key, "value": shown.value, "origin": shown.origin.to_string() })
        })
        .collect();
    let rows = config
        .shown
        .iter()
        .map(|shown| {
            let value = shown.value.clone().unwrap_or_else(|| "-".to_owned());
            vec![shown.key.to_owned(), value, shown.origin.to_string()]
        })
        .collect();
    output::data(format, &json!({ "settings": settings }), &["KEY", "VALUE", "ORIGIN"], rows);
    ExitCode::SUCCESS
}

/// It was checked before this is called.
pub(crate) fn good(config: &Config) -> ExitCode {
    match &config.file {
        Some(file) => {
            output::note(&format!("the configuration is good, with `{}`", file.display()));
        }
        None => output::note("the configuration is good; there is no file"),
    }
    ExitCode::SUCCESS
}
