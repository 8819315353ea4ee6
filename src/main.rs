//! Picks a role or a command, and wires it: what there is to configure is checked before anything begins.

use std::future::Future;
use std::process::ExitCode;

use clap::Parser as _;
use config::Config;

use arguments::{Arguments, Command, ConfigCommand, Supervised};
use cli::output::{self, Format};
use failure::Failure;
use layout::Part;

mod agent;
mod arguments;
mod cli;
mod clock;
mod connection;
mod control;
mod demo;
mod down;
mod endpoints;
mod failure;
mod layout;
mod listen;
mod logging;
mod role;
mod router;
mod sample;
mod server;
mod settings;
mod up;

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // Only one provider is built in, and nobody has installed another before the first line of main.
    rustls::crypto::ring::default_provider().install_default().ok();
    let (flags, format) = (arguments.flags(), arguments.output());
    let config = match arguments.command {
        Command::Version => {
            output::line(&format!("berth {}", role::VERSION));
            return ExitCode::SUCCESS;
        }
        Command::Sample(sample) => {
            logging::plain();
            return sample::run(sample);
        }
        Command::SampleArchive(archive) => return ended(archive.print()),
        Command::Demo(demo) => return wait(demo::run(demo)),
        Command::Up(_)
        | Command::Down(_)
        | Command::Client(_)
        | Command::Server(_)
        | Command::Agent(_)
        | Command::Router(_)
        | Command::Config(_) => config::load(&flags),
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return ended(Err(error.into())),
    };
    run(arguments.command, format, &config, &flags)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what needs no configuration has run already")]
fn run(command: Command, format: Format, config: &Config, flags: &config::Flags) -> ExitCode {
    match command {
        Command::Up(up) => ended(role::tell_failure(Part::Up, config, up::run(&up, config, flags))),
        Command::Down(down) => ended(down::run(&down, config, flags)),
        Command::Server(how) => role(Part::Server, how, config, server::run),
        Command::Agent(peer) => role(Part::Agent, peer.supervised, config, agent::run),
        Command::Router(router) => match router.command {
            None => role(Part::Router, router.peer.supervised, config, router::run),
            Some(noun) => client(cli::Command::Router(noun), format, config),
        },
        Command::Client(command) => client(command, format, config),
        Command::Config(ConfigCommand::Print) => settings::print(config, format),
        Command::Config(ConfigCommand::Check) => settings::good(config),
        _ => ExitCode::SUCCESS,
    }
}

/// Runs a role in this process, until it is asked to end; leaves why it ended for a supervisor, wherever it failed.
fn role(
    part: Part,
    how: Supervised,
    config: &Config,
    run: impl FnOnce(&Config) -> Result<(), Failure>,
) -> ExitCode {
    if how.supervised {
        // In a session of its own, so that the terminal's signals reach the supervisor alone.
        rustix::process::setsid().ok();
    }
    logging::start(&config.log, config.color);
    let outcome = role::tell_failure(part, config, run(config));
    if let (true, Err(failure)) = (how.supervised, &outcome) {
        tracing::error!("{}", failure.sentence());
        return failure.exit().into();
    }
    ended(outcome)
}

/// Runs a command against the admin API.
fn client(command: cli::Command, format: Format, config: &Config) -> ExitCode {
    match connection::find(config) {
        Ok(connection) => wait(cli::run(command, &connection, format)),
        Err(failure) => ended(Err(failure)),
    }
}

fn wait(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => ended(Err(Failure::part("cannot start a runtime")(error))),
    }
}

fn ended(outcome: Result<(), Failure>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::problem(&failure.sentence());
            failure.exit().into()
        }
    }
}
