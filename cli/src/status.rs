//! `berth status`.

use api::client::Client;
use api::{Instance, Status};
use model::Lease;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::text::or_dash;
use crate::{instance, router, sentence, service};

/// What `berth status` is asked for.
#[derive(Debug, Clone, Copy, clap::Args)]
pub struct Arguments {
    /// End with 1 where anything is wrong, for scripts and probes.
    #[arg(long)]
    check: bool,
}

/// Prints how everything is.
pub(crate) async fn run(arguments: Arguments, client: &Client, format: Format) -> Outcome {
    let status = client.status().await?;
    let problems = problems(&status);
    match format {
        Format::Json => output::json(&status),
        Format::Table => print(&status, &problems),
    }
    if arguments.check && !problems.is_empty() {
        return Ok(Exit::Failure);
    }
    Ok(Exit::Success)
}

/// Everything that is wrong, a line each.
fn problems(status: &Status) -> Vec<String> {
    let not_ready = (!status.ready).then(sentence::not_ready);
    let no_instance = status.instances.is_empty().then(sentence::no_instance);
    let lost = status.routers.iter().filter(|router| router.lease == Lease::Lost);
    let low = status.registry_disk.filter(|disk| disk.is_low);
    let low = low.map(|disk| sentence::registry_disk_low(&disk));
    let whole = not_ready.into_iter().chain(no_instance).chain(low);
    whole
        .chain(status.instances.iter().flat_map(of_instance))
        .chain(lost.map(sentence::router_lost))
        .chain(service::problems(&status.services))
        .collect()
}

fn of_instance(instance: &Instance) -> Vec<String> {
    let name = &instance.name;
    let suspended = instance.suspended.then(|| sentence::instance_suspended(name));
    let is_away = instance.lease >= Lease::Disconnected || !instance.agent_connected;
    let away = (is_away && !instance.suspended).then(|| sentence::instance_away(name));
    let full = instance.disk.filter(|disk| disk.nearly_full);
    let full = full.map(|disk| sentence::disk_nearly_full(name, &disk));
    suspended.into_iter().chain(away).chain(full).collect()
}

fn print(status: &Status, problems: &[String]) {
    output::line(&sentence::readiness(&status.version, status.ready));
    output::line(&format!("  registry  {}", status.registry_address));
    output::line(&format!("  router    {}", or_dash(status.router_url.as_ref())));
    output::line(&format!("  link      {}", status.link_address));
    let instances = status.instances.iter().map(instance::row).collect();
    section("instances", &instance::HEADER, instances);
    let routers = status.routers.iter().map(router::row).collect();
    section("routers", &router::HEADER, routers);
    if status.services.is_empty() {
        output::line(&format!("\n{}", sentence::no_services()));
    } else {
        output::line(&format!("\n{}", service::table(&status.services)));
    }
    output::line("");
    if problems.is_empty() {
        output::line(&sentence::no_problems());
    }
    for problem in problems {
        output::line(problem);
    }
}

fn section(name: &str, header: &[&str], rows: Vec<Vec<String>>) {
    let text = if rows.is_empty() { sentence::none(name) } else { output::table(header, rows) };
    output::line(&format!("\n{text}"));
}
