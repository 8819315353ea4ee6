//! `berth down`: stops every task, then every process of this data directory, whoever started it.
//!
//! Tasks are stopped the way they always are: out of rotation first, then their containers. So what is needed for that is
//! started if it does not run.

use std::path::PathBuf;
use std::time::Duration;

use config::{Config, Flags};
use serde::Deserialize;

use crate::control;
use crate::failure::Failure;
use crate::layout::{Layout, Part};
use crate::local_api;
use crate::up::{self, process};
use cli::client::CallError;
use cli::text::count;
use terminal::Progress;

/// How often the server is asked what is left.
const ASK: Duration = Duration::from_millis(200);

/// Stop all tasks, then everything that `berth up` started.
#[derive(Debug, Clone, Copy)]
pub struct Down {
    /// How long to wait until the last container is gone.
    pub timeout: Duration,
    /// End Berth even if tasks are left; their containers go on.
    pub force: bool,
}

/// What is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
struct Left {
    services: u64,
    tasks: u64,
}

impl std::fmt::Display for Left {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (services, tasks) = (count(self.services, "service"), count(self.tasks, "task"));
        write!(f, "{services} and {tasks}")
    }
}

/// Runs it.
pub fn run(down: Down, config: &Config, flags: &Flags) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::part("cannot start a runtime"))?;
    let layout = Layout::new(&config.data_dir);
    let runs = |part| control::status(&layout, part).is_some();
    let idle = !runs(Part::Up) && !Part::ROLES.into_iter().any(runs);
    let known = layout.dir(Part::Server).join("store.redb").exists();
    if idle && (!known || marker(&layout).exists()) {
        terminal::note(&format!("nothing of Berth runs on `{}`", config.data_dir.display()));
        return Ok(());
    }
    if known && !down.force && !Part::ROLES.into_iter().all(runs) {
        if runs(Part::Up) {
            terminal::note("some of Berth is away; waiting for `berth up` to start it again");
        } else {
            terminal::note("Berth does not run; starting it to stop what it left running");
            up::detach(config, flags)?;
        }
    }
    let stopped = runtime.block_on(stop_tasks(down, config, &layout));
    match stopped {
        Err(failure) if !down.force => return Err(failure),
        Err(failure) => terminal::note(&failure.sentence()),
        Ok(()) => {}
    }
    runtime.block_on(end_processes(&layout))?;
    disk::write(&marker(&layout), b"", 0o600).map_err(Failure::file(&marker(&layout)))?;
    terminal::note(&format!("nothing of Berth runs on `{}` any more", config.data_dir.display()));
    Ok(())
}

/// A file that says that nothing was left running.
pub fn marker(layout: &Layout) -> PathBuf {
    layout.run().join("down")
}

async fn stop_tasks(down: Down, config: &Config, layout: &Layout) -> Result<(), Failure> {
    let client = local_api::client(config, layout)?;
    let mut progress = Progress::start();
    let mut left = None;
    let drained = async {
        let mut asked = false;
        loop {
            // Asked again each time the server may have been away: stopping what stops changes nothing.
            let answer = if asked {
                client.get::<Left>("/api/v1/down").await
            } else {
                client.post::<Left>("/api/v1/down", &serde_json::json!({})).await
            };
            asked = match answer {
                Ok(Left { services: 0, tasks: 0 }) if asked => return Ok(()),
                Ok(still) => {
                    if still != (Left { services: 0, tasks: 0 }) {
                        progress.say(&format!("stopping {still}"));
                    }
                    left = Some(still);
                    true
                }
                Err(CallError::Unreachable { .. }) => false,
                Err(error) => {
                    return Err(Failure::part("the server does not stop the tasks")(error));
                }
            };
            tokio::time::sleep(ASK).await;
        }
    };
    let waited = tokio::time::timeout(down.timeout, drained).await;
    waited.unwrap_or_else(|_late| {
        let left = left.map_or_else(
            || "the server does not answer".to_owned(),
            |left| format!("{left} are left"),
        );
        Err(Failure::Late(format!(
            "after {} s {left}; `berth status` shows them, `berth instance rm` gives up an instance that will not come \
             back, `berth down --force` ends Berth and leaves their containers",
            down.timeout.as_secs()
        )))
    })
}

/// The supervisor first: it ends its roles, and starts none again. Then what it did not know of.
async fn end_processes(layout: &Layout) -> Result<(), Failure> {
    for part in [Part::Up, Part::Agent, Part::Router, Part::Server] {
        process::make_room(layout, part).await?;
    }
    Ok(())
}
