//! `berth rule`.

use clap::Subcommand;
use serde_json::{Value, json};

use super::Outcome;
use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{escape, field, items, text};

/// What can be asked of rules.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List rules in the order of their numbers.
    Ls,
    /// Send requests of a host and path to a service.
    Add {
        /// The service; may also be given as --service.
        #[arg(value_name = "SERVICE", required_unless_present = "service")]
        named: Option<String>,
        /// The service.
        #[arg(long, conflicts_with = "named")]
        service: Option<String>,
        /// The host, as in `shop.example.com` or `*.example.com`; any unless it is given.
        #[arg(long, required_unless_present = "path")]
        host: Option<String>,
        /// The path: itself and everything below it.
        #[arg(long)]
        path: Option<String>,
        /// 1 to 50000, lowest first; derived from how specific host and path are unless it is given.
        #[arg(long)]
        priority: Option<u16>,
        /// The service's cluster.
        #[arg(long, default_value = "default")]
        cluster: String,
    },
    /// Remove a rule.
    Rm {
        /// Its id.
        rule: String,
    },
}

const HEADER: [&str; 5] = ["RULE", "PRIORITY", "HOST", "PATH", "GOES TO"];

fn row(rule: &Value) -> Vec<String> {
    let or = |value: &Value, other: &str| match text(value) {
        nothing if nothing == "-" => other.to_owned(),
        some => some,
    };
    let action = &rule["action"];
    let goes_to = match (action["type"].as_str(), rule["serviceName"].as_str()) {
        (_, Some(service)) => format!("service {service}"),
        (Some("forward"), None) => format!("target group {}", field(action, "targetGroupName")),
        (Some("fixed-response"), None) => format!("answer {}", field(action, "statusCode")),
        _ => "-".to_owned(),
    };
    vec![
        field(rule, "ruleId"),
        or(&rule["priority"], "derived"),
        or(&rule["hostHeader"], "*"),
        or(&rule["pathPattern"], "*"),
        goes_to,
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let answer: Value = client.list("/api/v1/rules").await?;
            let rows = items(&answer["items"]).iter().map(row).collect();
            output::data(format, &answer, &HEADER, rows);
        }
        Command::Add { named, service, host, path, priority, cluster } => {
            let body = json!({
                "serviceName": service.or(named), "clusterName": cluster,
                "host": host, "path": path, "priority": priority,
            });
            let rule: Value = client.post("/api/v1/rules", &body).await?;
            output::data(format, &rule, &HEADER, vec![row(&rule)]);
        }
        Command::Rm { rule } => {
            client.delete::<Value>(&format!("/api/v1/rules/{}", escape(&rule))).await?;
            output::note(&format!("rule {rule} is removed"));
        }
    }
    Ok(Exit::Success)
}
