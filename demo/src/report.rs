//! What happened, step by step.

use super::load::Counts;
use supervisor::Stopwatch;

/// The steps that held so far.
#[derive(Debug, Default)]
pub(crate) struct Report {
    watch: Stopwatch,
    counted: Option<Counts>,
    rows: Vec<Vec<String>>,
}

impl Report {
    /// A step that held, with what was counted since the beginning once requests are sent.
    pub(crate) fn held(&mut self, step: &str, counts: Option<Counts>) {
        let seconds = self.watch.lap().as_secs_f64();
        let before = self.counted.unwrap_or(Counts { sent: 0, failed: 0 });
        let (sent, failed) = match counts {
            Some(now) => {
                self.counted = Some(now);
                let failed = now.failed - before.failed;
                ((now.sent - before.sent).to_string(), failed.to_string())
            }
            None => ("-".to_owned(), "-".to_owned()),
        };
        terminal::note(&format!("  ok  {step} ({seconds:.1} s)"));
        self.rows.push(vec![step.to_owned(), format!("{seconds:.1} s"), sent, failed]);
    }

    /// The table, with the sum of all requests.
    pub(crate) fn print(&mut self, total: Counts) {
        let (sent, failed) = (total.sent.to_string(), total.failed.to_string());
        let whole = self.watch.whole().as_secs_f64();
        self.rows.push(vec!["in all".to_owned(), format!("{whole:.1} s"), sent, failed]);
        self.print_what_there_is();
    }

    /// The table as far as it goes.
    pub(crate) fn print_what_there_is(&mut self) {
        let rows = std::mem::take(&mut self.rows);
        let header = ["STEP", "TIME", "REQUESTS", "FAILED"];
        terminal::line(&format!("\n{}", terminal::table(&header, rows)));
    }
}
