//! Examples for the help of every command. Each is a command line that is parsed in a test.

use clap::Command;

/// Path of a command, and its examples.
const EXAMPLES: &[(&str, &[&str])] = &[
    ("up", &["berth up", "berth up --detach"]),
    ("down", &["berth down", "berth down --all", "berth down --keep-tasks"]),
    ("install", &["sudo berth install", "berth install --role agent --print"]),
    (
        "deploy",
        &[
            "berth deploy hello --replicas 3",
            "berth deploy hello --image team/hello:v2 --env COLOR=blue --unset DEBUG",
            "berth deploy hello --host hello.example.com --health-path /healthz",
            "berth deploy worker -- /bin/worker --queue mails",
        ],
    ),
    ("status", &["berth status", "berth status --check", "berth status -o json"]),
    ("service ls", &["berth service ls"]),
    ("service show", &["berth service show hello"]),
    ("service scale", &["berth service scale hello 5"]),
    (
        "service update",
        &[
            "berth service update hello --minimum-healthy-percent 50",
            "berth service update hello --bake-time 300 --detach",
            "berth service update hello --force-new-deployment",
        ],
    ),
    ("service revisions", &["berth service revisions hello"]),
    ("service rollback", &["berth service rollback hello", "berth service rollback hello --to 3"]),
    ("service rm", &["berth service rm hello", "berth service rm hello --yes"]),
    ("service events", &["berth service events hello --limit 20"]),
    ("task ls", &["berth task ls --service hello", "berth task ls --stopped"]),
    ("task show", &["berth task show 01a219f3"]),
    ("task run", &["berth task run migrate", "berth task run migrate:3 -- /bin/migrate up"]),
    ("task stop", &["berth task stop 01a219f3 --reason \"stuck\""]),
    ("task logs", &["berth task logs 01a219f3 --follow", "berth task logs 01a219f3 -n 100"]),
    (
        "task-definition register",
        &[
            "berth task-definition register task.json",
            "berth task-definition register --leave-out task.json",
            "berth task-definition register - < task.json",
        ],
    ),
    ("task-definition ls", &["berth task-definition ls --family web"]),
    (
        "task-definition show",
        &["berth task-definition show web", "berth task-definition show web:3"],
    ),
    ("instance ls", &["berth instance ls"]),
    ("instance show", &["berth instance show host-1"]),
    ("instance events", &["berth instance events host-1"]),
    (
        "instance update",
        &[
            "berth instance update host-1 --status draining",
            "berth instance update host-1 --allow-address 10.0.0.7",
        ],
    ),
    ("instance drain", &["berth instance drain host-1"]),
    ("instance activate", &["berth instance activate host-1"]),
    (
        "instance join-token",
        &["berth instance join-token", "berth instance join-token --role router --uses 3"],
    ),
    ("instance rm", &["berth instance rm host-1"]),
    ("image ls", &["berth image ls"]),
    ("image tags", &["berth image tags team/hello"]),
    ("image verify", &["berth image verify", "berth image verify --detach"]),
    ("rule ls", &["berth rule ls"]),
    (
        "rule add",
        &[
            "berth rule add hello --host www.example.com",
            "berth rule add hello --host example.com --path /shop --priority 10",
        ],
    ),
    ("rule rm", &["berth rule rm 01a219f3"]),
    ("cluster ls", &["berth cluster ls"]),
    ("cluster events", &["berth cluster events --limit 50"]),
    ("token ls", &["berth token ls", "berth token ls -o json"]),
    ("token revoke", &["berth token revoke 01a219f3"]),
    ("server", &["berth server", "berth server --data-dir /srv/berth"]),
    ("agent", &["berth agent --server 10.0.0.1:7071 --join-token TOKEN", "berth agent"]),
    ("router", &["berth router --server 10.0.0.1:7071 --join-token TOKEN", "berth router"]),
    ("router ls", &["berth router ls"]),
    ("router rm", &["berth router rm 01a219f3"]),
    ("config check", &["berth config check --config /etc/berth.toml"]),
    ("config print", &["berth config print", "berth config print -o json"]),
    ("version", &["berth version"]),
    ("demo", &["berth demo", "berth demo --once"]),
];

/// The command with the examples in its help.
pub(crate) fn add(command: Command) -> Command {
    EXAMPLES.iter().fold(command, |command, (path, examples)| {
        let words: Vec<&str> = path.split(' ').collect();
        let lines: Vec<String> = examples.iter().map(|one| format!("  {one}")).collect();
        at(command, &words, &format!("Examples:\n{}", lines.join("\n")))
    })
}

fn at(command: Command, path: &[&str], text: &str) -> Command {
    let Some((first, rest)) = path.split_first() else {
        let said = command.get_after_help().map(|said| format!("{said}\n\n")).unwrap_or_default();
        return command.after_help(format!("{said}{text}"));
    };
    command.mut_subcommand(*first, |command| at(command, rest, text))
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;
    use crate::arguments::Arguments;

    /// The paths of all commands that do something.
    fn leaves(command: &Command, path: &str, found: &mut Vec<String>) {
        let visible = |one: &&Command| !one.is_hide_set() && one.get_name() != "help";
        let below: Vec<&Command> = command.get_subcommands().filter(visible).collect();
        if !path.is_empty() && (below.is_empty() || !command.is_subcommand_required_set()) {
            found.push(path.to_owned());
        }
        for one in below {
            leaves(one, format!("{path} {}", one.get_name()).trim(), found);
        }
    }

    #[test]
    fn every_command_has_an_example_and_none_is_for_a_command_that_is_not_there() {
        let mut found = Vec::new();
        leaves(&Arguments::command(), "", &mut found);
        found.sort();
        let mut known: Vec<&str> = EXAMPLES.iter().map(|(path, _)| *path).collect();
        known.sort_unstable();
        assert_eq!(found, known);
    }

    #[test]
    fn every_example_is_a_command_line_that_is_understood() {
        for (path, examples) in EXAMPLES {
            for example in *examples {
                let line = example.trim_start_matches("sudo ").split(" < ").next().unwrap();
                let words = line.replace('"', "");
                let parsed = Arguments::command().try_get_matches_from(words.split(' '));
                assert!(parsed.is_ok(), "{path}: {example}: {:?}", parsed.err());
            }
        }
    }

    #[test]
    fn the_help_shows_them() {
        let mut command = add(Arguments::command());
        let deploy = command.find_subcommand_mut("deploy").unwrap();
        let help = deploy.render_long_help().to_string();
        assert!(help.contains("Examples:\n  berth deploy hello --replicas 3\n"), "{help}");
    }
}
