//! `berth status`.

use serde_json::Value;

use super::client::Client;
use super::exit::Exit;
use super::output::{self, Format};
use super::text::{field, items, rows};
use super::{Outcome, instance, router, service};

/// Prints how everything is.
pub(crate) async fn run(client: &Client, format: Format) -> Outcome {
    let status: Value = client.get("/api/v1/status").await?;
    match format {
        Format::Json => output::json(&status),
        Format::Table => print(&status),
    }
    Ok(Exit::Success)
}

fn print(status: &Value) {
    let ready = if status["ready"] == true { "ready" } else { "not ready" };
    output::line(&format!("Berth {} is {ready}", field(status, "version")));
    output::line(&format!("  registry  {}", field(status, "registryAddress")));
    output::line(&format!("  router    {}", field(status, "routerUrl")));
    output::line(&format!("  link      {}", field(status, "linkAddress")));
    section(status, "instances", &instance::COLUMNS, instance::rows);
    section(status, "routers", &router::HEADER, |list| rows(list, &router::FIELDS));
    for router in items(&status["routers"]).iter().filter(|router| router["lease"] == "LOST") {
        output::line(&format!(
            "\nrouter {} is lost: what it may still send requests to is kept from others; `berth router rm {}` gives it up",
            field(router, "name"),
            field(router, "routerId")
        ));
    }
    if items(&status["services"]).is_empty() {
        output::line(
            "\nno services; `berth deploy NAME` makes one of the image NAME that was pushed",
        );
    } else {
        output::line("");
        service::list(&status["services"]);
    }
}

fn section(status: &Value, name: &str, header: &[&str], rows: impl Fn(&Value) -> Vec<Vec<String>>) {
    let list = &status[name];
    if items(list).is_empty() {
        output::line(&format!("\nno {name}"));
    } else {
        output::line(&format!("\n{}", output::table(header, rows(list))));
    }
}
