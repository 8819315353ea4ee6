//! Data as JSON or as a table, and what else is said in a terminal.

use serde_json::Value;

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

/// Prints `value` as JSON, or as the table that `rows` makes of it.
pub fn data(format: Format, value: &Value, header: &[&str], rows: Vec<Vec<String>>) {
    match format {
        Format::Json => json(value),
        Format::Table => line(&table(header, rows)),
    }
}

/// Prints JSON.
pub fn json(value: &Value) {
    line(&format!("{value:#}"));
}
