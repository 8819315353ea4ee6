//! `berth status`.

use api::Status;
use api::client::Client;
use model::Lease;

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::text::or_dash;
use crate::{instance, router, sentence, service};

/// Prints how everything is.
pub(crate) async fn run(client: &Client, format: Format) -> Outcome {
    let status = client.status().await?;
    match format {
        Format::Json => output::json(&status),
        Format::Table => print(&status),
    }
    Ok(Exit::Success)
}

fn print(status: &Status) {
    output::line(&sentence::readiness(&status.version, status.ready));
    output::line(&format!("  registry  {}", status.registry_address));
    output::line(&format!("  router    {}", or_dash(status.router_url.as_ref())));
    output::line(&format!("  link      {}", status.link_address));
    let instances = status.instances.iter().map(instance::row).collect();
    section("instances", &instance::HEADER, instances);
    let routers = status.routers.iter().map(router::row).collect();
    section("routers", &router::HEADER, routers);
    for router in status.routers.iter().filter(|router| router.lease == Lease::Lost) {
        output::line(&format!("\n{}", sentence::router_lost(router)));
    }
    if status.services.is_empty() {
        output::line(&format!("\n{}", sentence::no_services()));
    } else {
        output::line("");
        service::list(&status.services);
    }
}

fn section(name: &str, header: &[&str], rows: Vec<Vec<String>>) {
    let text = if rows.is_empty() { sentence::none(name) } else { output::table(header, rows) };
    output::line(&format!("\n{text}"));
}
