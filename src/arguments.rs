//! The command line: which command, and what of the configuration it says.

#![expect(clippy::doc_markdown, reason = "doc comments here are the help text that people read")]

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::builder::{PossibleValuesParser, TypedValueParser as _};
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use cli::exit::Exit;
use cli::output::{self, Format};
use config::Flags;
use demo::sample::Fault;
use supervisor::RoleKind;

use crate::examples;

/// Registry, scheduler and router in one binary: push an image, say how many replicas you want, get a URL.
#[derive(Debug, Parser)]
#[command(
    name = "berth",
    version,
    after_help = "First steps:\n  berth up                          start everything on this machine\n  \
                  docker push localhost:5000/hello  store an image\n  \
                  berth deploy hello --replicas 3   run it, and get http://hello.localhost:8080"
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "Global options")]
struct Global {
    /// Directory of all data [env: BERTH_DATA_DIR]
    #[arg(long, global = true, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Configuration file [env: BERTH_CONFIG] [default: berth.toml in the data directory]
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting, as `log.level=debug`; `berth config print` lists them
    #[arg(long, global = true, value_name = "KEY=VALUE", value_parser = key_and_value)]
    set: Vec<(String, String)>,
    /// Admin API to talk to [env: BERTH_URL, with BERTH_TOKEN] [default: the one of the data directory]
    #[arg(long, global = true)]
    url: Option<String>,
    /// Token for the admin API [env: BERTH_TOKEN]
    #[arg(long, global = true, hide = true)]
    token: Option<String>,
    /// How data is printed
    #[arg(short, long, global = true, value_name = "FORMAT", value_enum, default_value_t)]
    output: Format,
}

/// What `berth` can be asked for.
#[derive(Debug, Subcommand)]
#[expect(clippy::large_enum_variant, reason = "one is parsed per process")]
pub(crate) enum Command {
    /// Start server, agent and router on this machine, and keep them running.
    Up(Up),
    /// Stop the tasks of this instance, then everything that `berth up` started. Services and rules stay: the next `berth up`
    /// brings them back.
    Down(Down),
    /// Have systemd start it with every boot: writes a unit and enables it.
    Install(Install),
    #[command(flatten)]
    Client(cli::Command),
    /// Run the server: registry, admin API, scheduler, link.
    Server(Launch),
    /// Run the agent of this host: joins once, then runs tasks.
    Agent(Peer),
    /// Run a router: joins once, then serves traffic. Or ask about routers
    #[command(visible_alias = "routers", args_conflicts_with_subcommands = true)]
    Router(RouterArguments),
    /// Look at the configuration.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Say which version this is.
    Version,
    /// Try all of Berth on temporary data: push, deploy, update, roll back, kill.
    Demo(Demo),
    /// The sample application of the demo.
    #[command(hide = true, name = "demo-application")]
    Sample(Sample),
    /// An image of the sample application as `docker load` takes it, on stdout.
    #[command(hide = true, name = "demo-archive")]
    SampleArchive(SampleArchive),
}

/// How `berth up` starts.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Up {
    /// Return once everything is ready, and leave it running.
    #[arg(short, long)]
    pub(crate) detach: bool,
    /// Started by `--detach`: in a session of its own.
    #[arg(long, hide = true)]
    pub(crate) background: bool,
}

/// How `berth down` ends.
#[derive(Debug, Clone, Copy, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub(crate) struct Down {
    /// How long to wait until the last container is gone.
    #[arg(long, value_name = "SECONDS", default_value_t = 120)]
    pub(crate) timeout: u64,
    /// End Berth even if tasks are left; their containers go on.
    #[arg(long)]
    pub(crate) force: bool,
    /// Stop the tasks of all instances, and not only of this one.
    #[arg(long, conflicts_with = "keep_tasks")]
    pub(crate) all: bool,
    /// Leave all containers running and end Berth's processes alone.
    #[arg(long, conflicts_with_all = ["force", "delete_services"])]
    pub(crate) keep_tasks: bool,
    /// Remove all services and the rules that come with them too. Asks first.
    #[arg(long)]
    pub(crate) delete_services: bool,
    /// Do not ask.
    #[arg(long, short, requires = "delete_services")]
    pub(crate) yes: bool,
}

/// What `berth install` installs.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Install {
    /// One role alone; server, agent and router together unless it is given.
    #[arg(long, value_enum)]
    pub(crate) role: Option<InstalledRole>,
    /// Print the unit, and change nothing.
    #[arg(long)]
    pub(crate) print: bool,
}

/// A role that a unit may be for.
#[derive(Debug, Clone, Copy, clap::ValueEnum)]
pub(crate) enum InstalledRole {
    Server,
    Agent,
    Router,
}

impl From<InstalledRole> for RoleKind {
    fn from(role: InstalledRole) -> Self {
        match role {
            InstalledRole::Server => Self::Server,
            InstalledRole::Agent => Self::Agent,
            InstalledRole::Router => Self::Router,
        }
    }
}

/// How `berth demo` ends.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Demo {
    /// End and clean up after the last step instead of staying up for a look.
    #[arg(long)]
    pub(crate) once: bool,
}

/// How the sample application behaves; all of it comes from the image's configuration.
#[derive(Debug, Clone, Args)]
pub(crate) struct Sample {
    /// What it calls itself.
    #[arg(long, env = "SAMPLE_VERSION", default_value = "1")]
    pub(crate) version: String,
    /// Where it listens.
    #[arg(long, env = "SAMPLE_LISTEN", default_value = "0.0.0.0:8080")]
    pub(crate) listen: SocketAddr,
    /// What is wrong with it.
    #[arg(long, env = "SAMPLE_FAULT", default_value = Fault::None.name(), value_parser = faults())]
    pub(crate) fault: Fault,
}

/// What `berth demo-archive` is asked for.
#[derive(Debug, Clone, Args)]
pub(crate) struct SampleArchive {
    /// What the application calls itself.
    #[arg(long, default_value = "1")]
    pub(crate) version: String,
    /// What is wrong with it.
    #[arg(long, default_value = Fault::None.name(), value_parser = faults())]
    pub(crate) fault: Fault,
    /// The architecture that the image says it is for; this program's unless it is given.
    #[arg(long)]
    pub(crate) architecture: Option<String>,
    /// `repository:tag` under which Docker lists it.
    pub(crate) reference: String,
}

fn faults() -> impl clap::builder::TypedValueParser<Value = Fault> {
    let names = PossibleValuesParser::new(Fault::ALL.map(Fault::name));
    names.map(|name| Fault::named(&name).expect("only names of faults pass"))
}

/// How a role was started.
#[derive(Debug, Clone, Copy, Args)]
pub(crate) struct Launch {
    /// Started by `berth up`: in a session of its own.
    #[arg(long, hide = true)]
    pub(crate) supervised: bool,
    /// The token to join with comes on standard input.
    #[arg(long, hide = true)]
    pub(crate) join_token_on_stdin: bool,
    /// Take over from the process that has the role.
    #[arg(long, hide = true)]
    pub(crate) relieve: bool,
}

/// A role that dials the server.
#[derive(Debug, Args)]
pub(crate) struct Peer {
    /// Where the server's link listens [env: BERTH_LINK_SERVER] [default: the server of this data directory]
    #[arg(long, value_name = "HOST:PORT")]
    server: Option<String>,
    /// Token of `berth instance join-token`, needed once [env: BERTH_JOIN_TOKEN]
    #[arg(long, value_name = "TOKEN")]
    join_token: Option<String>,
    #[command(flatten)]
    pub(crate) launch: Launch,
}

/// `berth router`, and `berth router ls`.
#[derive(Debug, Args)]
pub(crate) struct RouterArguments {
    #[command(flatten)]
    pub(crate) peer: Peer,
    #[command(subcommand)]
    pub(crate) command: Option<cli::router::Command>,
}

/// What can be asked about the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Say whether it can be used, and what is wrong with it.
    Check,
    /// Print every setting with its value and where it came from.
    Print,
}

impl Arguments {
    /// How data is printed.
    pub(crate) fn output(&self) -> Format {
        self.global.output
    }

    /// What the command line says about the configuration.
    pub(crate) fn flags(&self) -> Flags {
        let mut settings = self.global.set.clone();
        let mut set = |key: &str, value: Option<&String>| {
            settings.extend(value.map(|value| (key.to_owned(), value.clone())));
        };
        set("url", self.global.url.as_ref());
        set("token", self.global.token.as_ref());
        let peer = match &self.command {
            Command::Agent(peer) => Some(peer),
            Command::Router(router) => Some(&router.peer),
            Command::Up(_)
            | Command::Down(_)
            | Command::Install(_)
            | Command::Client(_)
            | Command::Server(_)
            | Command::Config(_)
            | Command::Version
            | Command::Demo(_)
            | Command::Sample(_)
            | Command::SampleArchive(_) => None,
        };
        if let Some(peer) = peer {
            set("link.server", peer.server.as_ref());
            set("join_token", peer.join_token.as_ref());
        }
        let Global { data_dir, config, set: _, url: _, token: _, output: _ } = &self.global;
        Flags { data_dir: data_dir.clone(), file: config.clone(), settings }
    }
}

/// Reads the command line; the help of every command has examples.
pub(crate) fn parse() -> Result<Arguments, clap::Error> {
    let command = examples::add(Arguments::command());
    command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches))
}

/// Says what is wrong with the command line, as JSON where that is asked for; help and version are no errors.
pub(crate) fn refuse(error: &clap::Error) -> ExitCode {
    let words: Vec<String> = std::env::args().collect();
    let json = |pair: &[String]| matches!(pair[0].as_str(), "-o" | "--output") && pair[1] == "json";
    let is_json = words.windows(2).any(json)
        || words.iter().any(|word| matches!(word.as_str(), "-ojson" | "-o=json" | "--output=json"));
    if is_json && error.use_stderr() {
        let text = error.render().to_string();
        let detail = text.trim_start_matches("error: ").trim_end();
        output::failure(Format::Json, Exit::Usage.name(), detail, Exit::Usage);
        return Exit::Usage.into();
    }
    error.print().ok();
    if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS }
}

fn key_and_value(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').map(|(key, value)| (key.trim().to_owned(), value.to_owned()));
    pair.ok_or_else(|| "write it as KEY=VALUE, as `registry.listen=127.0.0.1:5001`".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_holds_together() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn router_is_a_role_and_a_noun() {
        let role = Arguments::parse_from(["berth", "router", "--server", "10.0.0.1:7071"]);
        let settings = role.flags().settings;
        assert_eq!(settings, [("link.server".to_owned(), "10.0.0.1:7071".to_owned())]);
        let noun = Arguments::parse_from(["berth", "router", "ls", "--data-dir", "/data"]);
        assert!(matches!(noun.command, Command::Router(RouterArguments { command: Some(_), .. })));
    }

    #[test]
    fn a_setting_is_a_key_and_a_value() {
        assert!(Arguments::try_parse_from(["berth", "--set", "registry.listen", "up"]).is_err());
        let set = Arguments::parse_from(["berth", "up", "--set", "log.level=debug"]);
        assert_eq!(set.flags().settings, [("log.level".to_owned(), "debug".to_owned())]);
    }
}
