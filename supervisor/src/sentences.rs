//! Every sentence that the supervisor and the roles' errors say to people. Nothing is decided on them: they may be reworded
//! at any time.

use std::fmt;
use std::path::Path;
use std::time::Duration;

use api::Remaining;
use model::sentence::say;

use crate::error::{ListenError, RoleError, Step};
use crate::role_kind::RoleKind;

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&sentence(self))
    }
}

fn sentence(error: &RoleError) -> String {
    let sentence = match error {
        // These were said where they were made.
        RoleError::Configuration(error) => return error.to_string(),
        RoleError::BackgroundEnded { failure: Some(failure), .. } => {
            return failure.message.clone();
        }
        RoleError::File { path, .. } => format!("cannot use `{}`", path.display()),
        RoleError::AlreadyRuns { role, data_dir, pid } => {
            let pid = pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
            format!(
                "`berth {role}` runs already on `{}`{pid}; `berth down` ends it, --data-dir names another directory",
                data_dir.display()
            )
        }
        RoleError::DoesNotEnd { role, lock } => {
            format!("another {role} holds `{}` and does not end", lock.display())
        }
        RoleError::Listen { address, setting, reason } => {
            let key = setting.map(|setting| setting.key).unwrap_or_default();
            let variable = setting.map(config::Setting::variable).unwrap_or_default();
            let why = cannot_listen(reason);
            format!(
                "cannot listen on {address}: {why}; stop it or set `{key}` ({variable}) to another address"
            )
        }
        RoleError::Step { step, .. } => cannot(*step),
        RoleError::StoreFailed { reason } => format!("the store cannot write: {reason}"),
        RoleError::NoInstallation => "the store names no installation".to_owned(),
        RoleError::ServerTaskEnded => "a part of the server has ended; see its log".to_owned(),
        RoleError::NoProcess { role } => cannot(Step::WatchRole(*role)),
        RoleError::CannotRun { role, failure } => format!("{role} cannot run: {}", failure.message),
        RoleError::BackgroundEnded { failure: None, status } => {
            format!("`berth up` ended: {status}")
        }
        RoleError::BackgroundLate { log } => {
            format!("`berth up` is not ready yet; it goes on, see `{}`", log.display())
        }
        RoleError::NotReady { logs } => {
            format!("Berth is not ready; see the logs in `{}`", logs.display())
        }
        RoleError::NoSystemd => {
            "systemd does not run here: `berth install --print` prints the unit for another host"
                .to_owned()
        }
        RoleError::ForeignUnit { path } => format!(
            "`{}` is there and was not written by `berth install`: move it away first, or change it by hand",
            path.display()
        ),
        RoleError::NobodyToAsk => {
            "removing all services is for good: say --yes, since there is no terminal to ask on"
                .to_owned()
        }
        RoleError::TasksLeft { waited, left } => {
            let left = left.map_or_else(
                || "the server does not answer".to_owned(),
                |left| format!("{} are left", amount(left)),
            );
            format!(
                "after {} s {left}; `berth status` shows them, `berth instance rm` gives up an instance that will not \
                 come back, `berth down --force` ends Berth and leaves their containers",
                waited.as_secs()
            )
        }
    };
    say(sentence)
}

/// Before everything that people made of services goes.
pub(crate) fn ask_to_delete_services() -> String {
    say("Remove all services and the rules that come with them, for good?")
}

/// What `berth down --keep-tasks` leaves.
pub(crate) fn containers_go_on() -> String {
    say("Berth has ended; its containers go on, and `berth up` takes them over again")
}

/// A unit is there and enabled.
pub(crate) fn installed(path: &Path, unit: &str) -> String {
    say(format!(
        "wrote `{}` and enabled it: it starts with every boot; `systemctl start {unit}` starts it now",
        path.display()
    ))
}

/// What an interrupted `berth down` had suspended comes back.
pub(crate) fn resumed() -> String {
    say("Berth runs already; what an interrupted `berth down` had suspended comes back")
}

fn cannot_listen(reason: &ListenError) -> String {
    match reason {
        ListenError::InUse { owner: Some((name, pid)) } => {
            format!("`{name}` (pid {pid}) listens there")
        }
        ListenError::InUse { owner: None } => "somebody else listens there".to_owned(),
        ListenError::Privileged => {
            "ports below 1024 need root or the capability CAP_NET_BIND_SERVICE".to_owned()
        }
        ListenError::NotThisHost => "this host does not have that address".to_owned(),
        ListenError::Other(error) => error.to_string(),
    }
}

fn cannot(step: Step) -> String {
    match step {
        Step::EnableUnit => "cannot install the unit".to_owned(),
        Step::Resume => "cannot bring back what `berth down` stopped".to_owned(),
        Step::StartRuntime => "cannot start a runtime".to_owned(),
        Step::HandOverListener => "cannot hand a listener to the runtime".to_owned(),
        Step::OpenStore => "the server cannot start".to_owned(),
        Step::OpenAuthority => "the server has no certificate authority".to_owned(),
        Step::OpenRegistry => "the registry cannot start".to_owned(),
        Step::WriteFirstStart => "the first start cannot be written".to_owned(),
        Step::RunAgent => "the agent cannot run".to_owned(),
        Step::RunRouter => "the router cannot run".to_owned(),
        Step::Reload => {
            "cannot take up the program and configuration that are there now".to_owned()
        }
        Step::StartBackground => "cannot start `berth up`".to_owned(),
        Step::StartRole(role) => format!("cannot start the {role}"),
        Step::WatchRole(role) => format!("cannot watch the {role}"),
        Step::ReachApi => "the local admin API cannot be asked".to_owned(),
        Step::MakeJoinToken(role) => format!("there is no join token for the {role}"),
        Step::StopTasks => "the server does not stop the tasks".to_owned(),
    }
}

fn amount(left: Remaining) -> String {
    let count = |number: u32, noun: &str| match number {
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    };
    format!("{} and {}", count(left.services, "service"), count(left.tasks, "task"))
}

pub(crate) fn starting(data_dir: &Path) -> String {
    say(format!("starting server, agent and router on `{}`", data_dir.display()))
}

pub(crate) fn ready(took: Duration) -> String {
    say(format!("ready after {:.1} s", took.as_secs_f64()))
}

pub(crate) fn ending() -> String {
    say("ending router, agent and server; containers go on".to_owned())
}

pub(crate) fn reloading() -> String {
    say("taking up the program and configuration that are there now".to_owned())
}

/// The program or configuration that is there now does not work.
pub(crate) fn not_reloading(why: &str) -> String {
    say(format!(
        "asked to take up another program or configuration, but it does not work: {why}; going on as before"
    ))
}

pub(crate) fn keeping(role: RoleKind, pid: i32) -> String {
    say(format!("{role} runs already (pid {pid}); keeping it"))
}

pub(crate) fn replacing(role: RoleKind, pid: i32) -> String {
    say(format!("{role} runs with another version or configuration (pid {pid}); replacing it"))
}

/// A role has ended, and is started again after `pause`.
pub(crate) fn restarting(role: RoleKind, why: &str, pause: Duration) -> String {
    let again = match pause {
        Duration::ZERO => "starting it again",
        _ => "trying again and again",
    };
    say(format!("{role} has ended: {why}; {again}"))
}

/// How a process has ended that is not this one's child.
pub(crate) fn ended_unseen() -> String {
    say("it has ended".to_owned())
}

/// Everything is ready but the agent.
pub(crate) fn no_tasks_yet(why: &str) -> String {
    say(format!("\nwarning: no task can run on this host yet: {why}; it is tried again and again"))
}

pub(crate) fn nothing_runs(data_dir: &Path) -> String {
    say(format!("nothing of Berth runs on `{}`", data_dir.display()))
}

pub(crate) fn nothing_runs_any_more(data_dir: &Path) -> String {
    say(format!("nothing of Berth runs on `{}` any more", data_dir.display()))
}

pub(crate) fn waiting_for_up() -> String {
    say("some of Berth is away; waiting for `berth up` to start it again".to_owned())
}

pub(crate) fn starting_to_stop() -> String {
    say("Berth does not run; starting it to stop what it left running".to_owned())
}

pub(crate) fn stopping(left: Remaining) -> String {
    say(format!("stopping {}", amount(left)))
}
