//! The only place that prints: data on stdout, progress and problems on stderr, so that `-o json` can be piped.

use std::io::{IsTerminal as _, Write as _};
use std::time::Duration;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, Width, presets};
use indicatif::{ProgressBar, ProgressStyle};

/// A last column narrower than this is not broken into lines: the terminal does that better.
const NARROWEST: u16 = 20;

/// A table without rules. On a terminal that is too narrow for it, the last column is broken into lines between its words;
/// elsewhere every row is one line, whatever its length, for `grep` and `awk`.
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> String {
    lay_out(header, rows, terminal_width())
}

fn lay_out(header: &[&str], rows: Vec<Vec<String>>, terminal: Option<u16>) -> String {
    let last_cells = rows.iter().filter_map(|row| row.last());
    let words = last_cells.flat_map(|cell| cell.split(' ')).map(str::len);
    let longest_word = words.max().unwrap_or_default();
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header.iter().copied());
    table.add_rows(rows);
    let widths = table.column_max_content_widths();
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    let (last, fixed) = widths.split_last().map_or((0, 0), |(last, others)| {
        (*last, others.iter().map(|width| width + 2).sum::<u16>())
    });
    if let Some(room) = terminal.and_then(|width| width.checked_sub(fixed))
        && (NARROWEST..last).contains(&room)
        && longest_word <= usize::from(room)
        && let Some(column) = table.column_mut(widths.len() - 1)
    {
        column.set_padding((0, 0));
        column.set_constraint(ColumnConstraint::Absolute(Width::Fixed(room)));
        table.set_content_arrangement(ContentArrangement::Dynamic);
        table.set_width(fixed + room);
    }
    table.trim_fmt()
}

fn terminal_width() -> Option<u16> {
    let out = std::io::stdout();
    let size = out.is_terminal().then(|| rustix::termios::tcgetwinsize(&out))?;
    size.ok().map(|size| size.ws_col).filter(|width| *width > 0)
}

/// Prints names and values, one pair to a line.
pub fn pairs(pairs: &[(&str, String)]) {
    let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    for (name, value) in pairs {
        line(&format!("{name:<width$}  {value}"));
    }
}

/// Whether data goes to a person's terminal, and not to a file, a pipe or a journal.
pub fn is_read_by_a_person() -> bool {
    std::io::stdout().is_terminal()
}

/// Prints a line of data. Who closes the pipe, as `head` does, has seen enough: that is no failure.
pub fn line(text: &str) {
    writeln!(std::io::stdout().lock(), "{text}").ok();
}

/// Prints bytes as they are; false once nobody reads them.
pub fn raw(bytes: &[u8]) -> bool {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).is_ok()
}

/// Tells a person something that is no data. Where nobody reads it, nothing else fails.
pub fn note(text: &str) {
    writeln!(std::io::stderr().lock(), "{text}").ok();
}

/// Says what went wrong.
pub fn problem(text: &str) {
    note(&format!("error: {text}"));
}

/// Asks on a terminal; None where there is nobody to ask.
pub fn ask(question: &str) -> Option<bool> {
    if !std::io::stdin().is_terminal() {
        return None;
    }
    write!(std::io::stderr().lock(), "{question} [y/N] ").ok();
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer).ok()?;
    Some(matches!(answer.trim(), "y" | "Y" | "yes"))
}

/// One line that is always up to date on a terminal, and one line per change elsewhere.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    last: String,
}

impl Progress {
    /// Begins with nothing said.
    pub fn start() -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}  {elapsed}");
            let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
            let bar = ProgressBar::new_spinner().with_style(style);
            bar.enable_steady_tick(Duration::from_millis(100));
            bar
        });
        Self { bar, last: String::new() }
    }

    /// How it stands now.
    pub fn say(&mut self, text: &str) {
        if self.last == text {
            return;
        }
        text.clone_into(&mut self.last);
        match &self.bar {
            Some(bar) => bar.set_message(text.to_owned()),
            None => note(text),
        }
    }

    /// Something to keep on the screen.
    pub fn keep(&self, text: &str) {
        match &self.bar {
            Some(bar) => bar.suspend(|| note(text)),
            None => note(text),
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn events(terminal: Option<u16>) -> String {
        let row = |at: &str, event: &str| vec![at.to_owned(), event.to_owned()];
        let rows = vec![row("12:00", "the container exited with code 3"), row("11:00", "started")];
        lay_out(&["AT", "EVENT"], rows, terminal)
    }

    #[test]
    fn a_row_is_one_line_where_there_is_no_terminal() {
        assert_eq!(
            events(None),
            "AT     EVENT\n12:00  the container exited with code 3\n11:00  started"
        );
    }

    #[test]
    fn the_last_column_fits_a_narrow_terminal() {
        assert_eq!(
            events(Some(30)),
            "AT     EVENT\n12:00  the container exited\n       with code 3\n11:00  started"
        );
        assert_eq!(events(Some(20)), events(None), "too narrow for two columns");
        assert_eq!(events(Some(200)), events(None));
    }

    #[test]
    fn no_word_is_broken() {
        let url = || vec![vec!["hello".to_owned(), "http://hello.localhost:8080".to_owned()]];
        let text = lay_out(&["SERVICE", "URL"], url(), Some(30));
        assert_eq!(text, lay_out(&["SERVICE", "URL"], url(), None));
    }
}
