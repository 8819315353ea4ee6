//! `berth rule`.

use api::client::{Client, all};
use api::{CreateRuleRequest, FixedResponse, PageQuery, Rule, RuleAction};
use clap::Subcommand;
use model::{ClusterName, IdPrefix, ServiceName};

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;

/// What can be asked of rules.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List rules in the order of their numbers.
    Ls,
    /// Send requests of a host and path to a service.
    Add {
        /// The service; may also be given as --service.
        #[arg(value_name = "SERVICE", required_unless_present = "service")]
        named: Option<ServiceName>,
        /// The service.
        #[arg(long, conflicts_with = "named")]
        service: Option<ServiceName>,
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
        cluster: ClusterName,
    },
    /// Remove a rule.
    Rm {
        /// Its id, or the first digits of it.
        rule: IdPrefix,
    },
}

const HEADER: [&str; 5] = ["RULE", "PRIORITY", "HOST", "PATH", "GOES TO"];

fn row(rule: &Rule) -> Vec<String> {
    let any = |patterns: &[String]| match patterns {
        [] => "*".to_owned(),
        some => some.join(", "),
    };
    let goes_to = match (&rule.service_name, &rule.action) {
        (Some(service), _) => format!("service {service}"),
        (None, RuleAction::Forward { target_group_name }) => {
            format!("target group {target_group_name}")
        }
        (None, RuleAction::FixedResponse(FixedResponse { status_code, .. })) => {
            format!("answer {status_code}")
        }
    };
    vec![
        rule.rule_id.to_string(),
        rule.priority.map_or_else(|| "derived".to_owned(), |priority| priority.to_string()),
        any(&rule.host_header),
        any(&rule.path_pattern),
        goes_to,
    ]
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let rules = all(PageQuery::default(), async |page| client.list_rules(page).await);
            output::list(format, rules.await?, &HEADER, row);
        }
        Command::Add { named, service, host, path, priority, cluster } => {
            let request = CreateRuleRequest {
                host,
                path,
                priority,
                service_name: service.or(named),
                ..CreateRuleRequest::of_cluster(cluster)
            };
            let rule = client.create_rule(&request, None).await?;
            output::data(format, &rule, &HEADER, vec![row(&rule)]);
        }
        Command::Rm { rule } => {
            client.remove_rule(&rule).await?;
            output::note(&sentence::rule_removed(&rule));
        }
    }
    Ok(Exit::Success)
}
