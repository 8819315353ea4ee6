//! Picks a role or a command, and wires it: what there is to configure is checked before anything begins.

use std::future::Future;
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use config::Config;

use arguments::{Command, ConfigCommand, Launch, SampleArchive};
use cli::exit::Exit;
use cli::output::{self, Format};
use demo::Ending;
use demo::sample::image::{Version, archive, own_architecture};
use demo::sample::{self, Sample};
use roles::{agent, router, server};
use supervisor::down::Consent;
use supervisor::role::leave_failure;
use supervisor::{FailureKind, Layout, RoleError, RoleKind, Step, down, install, up};

mod arguments;
mod connection;
mod examples;
mod logging;
mod roles;
mod settings;

fn main() -> ExitCode {
    let arguments = match arguments::parse() {
        Ok(arguments) => arguments,
        Err(error) => return arguments::refuse(&error),
    };
    // Only one provider is built in, and nobody has installed another before the first line of main.
    rustls::crypto::ring::default_provider().install_default().ok();
    let (flags, format) = (arguments.flags(), arguments.output());
    let config = match arguments.command {
        Command::Version => {
            output::line(&format!("berth {}", supervisor::role::VERSION));
            return ExitCode::SUCCESS;
        }
        Command::Sample(sample) => {
            logging::plain();
            let arguments::Sample { version, listen, fault } = sample;
            return sample::run(Sample { version, listen, fault });
        }
        Command::SampleArchive(archive) => return print_archive(archive),
        Command::Demo(arguments::Demo { once: true }) => return wait(demo::run(Ending::AtOnce)),
        Command::Demo(arguments::Demo { once: false }) => {
            return wait(demo::run(Ending::WhenInterrupted));
        }
        Command::Up(_)
        | Command::Down(_)
        | Command::Install(_)
        | Command::Client(_)
        | Command::Server(_)
        | Command::Agent(_)
        | Command::Router(_)
        | Command::Config(_) => config::load(&flags),
    };
    let config = match config {
        Ok(config) => config,
        Err(error) => return ended(format, Err(error.into())),
    };
    run(arguments.command, format, &config, &flags)
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what needs no configuration has run already")]
fn run(command: Command, format: Format, config: &Config, flags: &config::Flags) -> ExitCode {
    match command {
        Command::Up(arguments::Up { detach, background }) => {
            let outcome = up::run(up::Up { detach, background }, config, flags);
            ended(format, leave_failure(RoleKind::Supervisor, config, outcome))
        }
        Command::Down(arguments::Down {
            timeout,
            force,
            all,
            keep_tasks,
            delete_services,
            yes,
        }) => {
            let timeout = Duration::from_secs(timeout);
            let consent = if yes { Consent::Given } else { Consent::Ask };
            let delete_services = delete_services.then_some(consent);
            let how = down::Down { timeout, force, all, keep_tasks, delete_services };
            ended(format, down::run(how, config, flags))
        }
        Command::Install(arguments::Install { role, print }) => {
            let install = install::Install { role: role.map(RoleKind::from), print };
            ended(format, install::run(install, config))
        }
        Command::Server(how) => role(RoleKind::Server, how, config, server::run),
        Command::Agent(peer) => role(RoleKind::Agent, peer.launch, config, agent::run),
        Command::Router(router) => match router.command {
            None => {
                let how = router.peer.launch;
                role(RoleKind::Router, how, config, |config| router::run(config, how.relieve))
            }
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
    role: RoleKind,
    how: Launch,
    config: &Config,
    run: impl FnOnce(&Config) -> Result<(), RoleError>,
) -> ExitCode {
    if how.supervised {
        // In a session of its own, so that the terminal's signals reach the supervisor alone.
        rustix::process::setsid().ok();
        logging::start_in(&Layout::new(&config.data_dir).log(role), &config.log);
    } else {
        logging::start(&config.log, config.color);
    }
    let mut config = config.clone();
    if how.join_token_on_stdin {
        let token = std::io::read_to_string(std::io::stdin());
        config.join_token = token.ok().filter(|token| !token.is_empty());
    }
    let outcome = leave_failure(role, &config, run(&config));
    if let (true, Err(error)) = (how.supervised, &outcome) {
        tracing::error!("{}", error.sentence());
        return exit(error).into();
    }
    ended(Format::Table, outcome)
}

/// Runs a command against the admin API.
fn client(command: cli::Command, format: Format, config: &Config) -> ExitCode {
    match connection::find(config) {
        Ok(connection) => wait(cli::run(command, &connection, format)),
        Err(error) => {
            // Without a credential nothing is asked.
            let exit = Exit::Forbidden;
            output::failure(format, exit.name(), &model::chain(&error), exit);
            exit.into()
        }
    }
}

fn wait(work: impl Future<Output = ExitCode>) -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    match runtime {
        Ok(runtime) => runtime.block_on(work),
        Err(error) => ended(Format::Table, Err(RoleError::step(Step::StartRuntime)(error))),
    }
}

fn print_archive(of: SampleArchive) -> ExitCode {
    let SampleArchive { version, fault, architecture, reference } = of;
    let architecture = architecture.unwrap_or_else(|| own_architecture().to_owned());
    let bytes = archive(&[Version { version, fault, architecture, reference }]);
    match bytes.and_then(|bytes| std::io::stdout().write_all(&bytes)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            output::problem(&format!("cannot make the image: {error}"));
            Exit::Failure.into()
        }
    }
}

fn ended(format: Format, outcome: Result<(), RoleError>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let exit = exit(&error);
            output::failure(format, exit.name(), &error.sentence(), exit);
            exit.into()
        }
    }
}

/// The exit code that belongs to an error of a role or of the supervisor.
fn exit(error: &RoleError) -> Exit {
    match error {
        RoleError::Configuration(_) | RoleError::NobodyToAsk | RoleError::NoSystemd => Exit::Usage,
        RoleError::AlreadyRuns { .. }
        | RoleError::DoesNotEnd { .. }
        | RoleError::ForeignUnit { .. }
        | RoleError::Listen { .. } => Exit::Conflict,
        RoleError::CannotRun { failure, .. }
        | RoleError::BackgroundEnded { failure: Some(failure), .. } => match failure.kind {
            FailureKind::AddressInUse | FailureKind::DataDirectoryTaken => Exit::Conflict,
            FailureKind::Configuration => Exit::Usage,
            FailureKind::JoinRefused { .. }
            | FailureKind::WrongServer
            | FailureKind::StoreUnavailable
            | FailureKind::DockerUnreachable
            | FailureKind::Other => Exit::Failure,
        },
        RoleError::BackgroundLate { .. }
        | RoleError::NotReady { .. }
        | RoleError::TasksLeft { .. } => Exit::Timeout,
        RoleError::File { .. }
        | RoleError::Step { .. }
        | RoleError::StoreFailed { .. }
        | RoleError::NoInstallation
        | RoleError::ServerTaskEnded
        | RoleError::NoProcess { .. }
        | RoleError::BackgroundEnded { failure: None, .. } => Exit::Failure,
    }
}
