//! Data as JSON or as a table, and what else is said in a terminal.

use api::Page;
use serde::Serialize;

use crate::exit::Exit;

pub use terminal::{Progress, ask, line, note, pairs, problem, raw, table};

/// How data is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
#[expect(missing_docs, reason = "the help would repeat what is said of a variant")]
pub enum Format {
    // For people.
    #[default]
    Table,
    // As the API answers.
    Json,
}

/// Prints `value` as JSON, or as the table of its rows.
pub fn data(format: Format, value: &impl Serialize, header: &[&str], rows: Vec<Vec<String>>) {
    match format {
        Format::Json => json(value),
        Format::Table => line(&table(header, rows)),
    }
}

/// Prints a whole list: its items as JSON, or a row for each.
pub(crate) fn list<T: Serialize>(
    format: Format,
    items: Vec<T>,
    header: &[&str],
    row: impl Fn(&T) -> Vec<String>,
) {
    let rows = items.iter().map(row).collect();
    data(format, &Page::whole(items), header, rows);
}

/// Prints JSON.
pub fn json(value: &impl Serialize) {
    match serde_json::to_string_pretty(value) {
        Ok(text) => line(&text),
        Err(error) => problem(&error.to_string()),
    }
}

/// What went wrong, as JSON.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct ErrorDocument<'a> {
    /// For programs.
    code: &'a str,
    /// Cause and next step, for people.
    detail: &'a str,
    /// The exit code of the command.
    exit_code: u8,
}

/// Says what went wrong, on standard error: in words, or as JSON with a code where data is JSON, too.
pub fn failure(format: Format, code: &str, detail: &str, exit: Exit) {
    match format {
        Format::Table => problem(detail),
        Format::Json => {
            let document = ErrorDocument { code, detail, exit_code: exit as u8 };
            note(&serde_json::to_string_pretty(&document).unwrap_or_default());
        }
    }
}
