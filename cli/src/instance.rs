//! `berth instance`.

use std::net::IpAddr;

use api::client::{CallError, Client, all, some};
use api::{CreateJoinTokenRequest, Disk, Instance, PageQuery, UpdateInstanceRequest};
use clap::{ArgGroup, Subcommand, ValueEnum};
use model::{ClusterName, Dimension, InstanceStatus, PeerRole};

use crate::exit::Exit;
use crate::failure::Outcome;
use crate::output::{self, Format};
use crate::sentence;
use crate::text::{or_dash, size, text, time, word};

/// What can be asked of instances.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// List instances.
    Ls,
    /// Show one instance.
    Show {
        /// Its id or name.
        instance: String,
    },
    /// What happened to it, newest first.
    Events {
        /// Its id or name.
        instance: String,
        /// How many.
        #[arg(long, value_name = "COUNT", default_value_t = 100)]
        limit: usize,
    },
    /// Take it out of service (draining), or back into it (active), or allow it an address.
    #[command(group = ArgGroup::new("change").required(true).multiple(true))]
    Update {
        /// Its id or name.
        instance: String,
        /// What is wished of it.
        #[arg(long, value_enum, ignore_case = true, group = "change")]
        status: Option<Status>,
        /// An address that its agent may advertise although its connection comes from another.
        #[arg(long, value_name = "IP", group = "change")]
        allow_address: Option<IpAddr>,
    },
    /// Give it no new tasks, and replace its service tasks elsewhere.
    Drain {
        /// Its id or name.
        instance: String,
    },
    /// Give it tasks again.
    Activate {
        /// Its id or name.
        instance: String,
    },
    /// Print the line that lets another host join: paste it there.
    JoinToken {
        /// Which role may join with it.
        #[arg(long, value_enum, default_value_t = Role::Agent)]
        role: Role,
        /// How often it may be used, 1000 at most.
        #[arg(long, value_name = "COUNT", default_value_t = 1)]
        uses: u32,
        /// How long it is good for, a week at most.
        #[arg(long, value_name = "SECONDS", default_value_t = 3600)]
        expires_in: u32,
        /// The cluster that the instance joins.
        #[arg(long, default_value = "default")]
        cluster: ClusterName,
    },
    /// Remove an instance that will not come back; what is left of its tasks counts as stopped.
    Rm {
        /// Its id or name.
        instance: String,
    },
}

/// A role that joins.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Role {
    Agent,
    Router,
}

/// People's wish for an instance.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub enum Status {
    Active,
    Draining,
}

impl From<Role> for PeerRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Agent => Self::Agent,
            Role::Router => Self::Router,
        }
    }
}

impl From<Status> for InstanceStatus {
    fn from(status: Status) -> Self {
        match status {
            Status::Active => Self::Active,
            Status::Draining => Self::Draining,
        }
    }
}

/// Columns of the list.
pub(crate) const HEADER: [&str; 8] =
    ["INSTANCE", "NAME", "STATUS", "LEASE", "TASKS", "CPU FREE", "MEMORY FREE", "DISK FREE"];

/// A row of the list.
pub(crate) fn row(instance: &Instance) -> Vec<String> {
    let free = |dimension: Dimension| {
        let remaining = instance.remaining_resources.get(&dimension).copied().unwrap_or(0);
        let registered = instance.registered_resources.get(&dimension).copied().unwrap_or(0);
        format!("{remaining}/{registered}")
    };
    vec![
        instance.instance_id.to_string(),
        text(&instance.name),
        word(&instance.status),
        word(&instance.lease),
        (instance.running_tasks_count + instance.pending_tasks_count).to_string(),
        free(Dimension::Cpu),
        free(Dimension::Memory),
        or_dash(instance.disk.as_ref().map(disk)),
    ]
}

fn disk(disk: &Disk) -> String {
    format!("{}/{}", size(disk.free_mib << 20), size(disk.total_mib << 20))
}

/// Runs one command.
pub(crate) async fn run(command: Command, client: &Client, format: Format) -> Outcome {
    match command {
        Command::Ls => {
            let instances =
                all(PageQuery::default(), async |page| client.list_instances(page).await);
            output::list(format, instances.await?, &HEADER, row);
        }
        Command::Events { instance, limit } => {
            let query = PageQuery::default();
            let next =
                async |query: &PageQuery| client.list_instance_events(&instance, query).await;
            let events = some(query, limit, next).await?;
            output::list(format, events, &["AT", "EVENT"], |event| {
                vec![time(event.created_at), event.message.clone()]
            });
        }
        Command::Show { instance } => show(&client.get_instance(&instance).await?.value, format),
        Command::Update { instance, status, allow_address } => {
            let request = UpdateInstanceRequest {
                status: status.map(Into::into),
                allowed_address: allow_address,
            };
            update(&instance, request, client, format).await?;
        }
        Command::Drain { instance } => {
            update(&instance, to(InstanceStatus::Draining), client, format).await?;
        }
        Command::Activate { instance } => {
            update(&instance, to(InstanceStatus::Active), client, format).await?;
        }
        Command::JoinToken { role, uses, expires_in, cluster } => {
            let request = CreateJoinTokenRequest {
                role: role.into(),
                cluster_name: cluster,
                expires_in_seconds: expires_in,
                uses,
            };
            join_token(&request, client, format).await?;
        }
        Command::Rm { instance } => remove(&instance, client).await?,
    }
    Ok(Exit::Success)
}

fn to(status: InstanceStatus) -> UpdateInstanceRequest {
    UpdateInstanceRequest { status: Some(status), allowed_address: None }
}

async fn update(
    instance: &str,
    request: UpdateInstanceRequest,
    client: &Client,
    format: Format,
) -> Result<(), CallError> {
    let answer = client.update_instance(instance, &request, None).await?;
    output::data(format, &answer, &HEADER, vec![row(&answer)]);
    Ok(())
}

async fn join_token(
    request: &CreateJoinTokenRequest,
    client: &Client,
    format: Format,
) -> Result<(), CallError> {
    let token = client.create_join_token(request, None).await?;
    match format {
        Format::Json => output::json(&token),
        Format::Table => output::line(&token.command),
    }
    let (host, _) = token.link_address.rsplit_once(':').unwrap_or((&token.link_address, ""));
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    if host == "localhost" || address.is_ok_and(|address| address.is_loopback()) {
        output::note(&sentence::link_is_local());
    }
    Ok(())
}

async fn remove(instance: &str, client: &Client) -> Result<(), CallError> {
    let known = client.get_instance(instance).await?.value;
    client.remove_instance(instance, None).await?;
    output::note(&sentence::instance_removed(instance));
    // Also of tasks that should have stopped, and hold on to what they reserve.
    if known.remaining_resources != known.registered_resources {
        output::note(&sentence::left_on_host(known.instance_id));
    }
    Ok(())
}

fn show(instance: &Instance, format: Format) {
    if format == Format::Json {
        return output::json(instance);
    }
    let connected = if instance.agent_connected { "yes" } else { "no" };
    output::pairs(&[
        ("instance", instance.instance_id.to_string()),
        ("name", text(&instance.name)),
        ("cluster", instance.cluster_name.to_string()),
        ("status", word(&instance.status)),
        ("lease", word(&instance.lease)),
        ("connected", connected.to_owned()),
        ("platform", instance.platform.to_string()),
        ("address", instance.advertised_address.to_string()),
        ("allowed address", or_dash(instance.allowed_address)),
        ("subnet", or_dash(instance.subnet)),
        ("running tasks", instance.running_tasks_count.to_string()),
        ("pending tasks", instance.pending_tasks_count.to_string()),
        ("agent", text(&instance.agent_version)),
        ("docker", text(&instance.docker_version)),
        ("free memory", or_dash(instance.available_memory_mib.map(|mib| size(mib << 20)))),
        ("free disk", or_dash(instance.disk.as_ref().map(disk))),
        ("limits", or_dash(instance.divides_limits.as_ref())),
        ("joined", time(instance.registered_at)),
    ]);
    let rows = instance.registered_resources.iter().map(|(dimension, all)| {
        let free = instance.remaining_resources.get(dimension).copied().unwrap_or(0);
        vec![dimension.to_string(), all.to_string(), free.to_string()]
    });
    let table = output::table(&["RESOURCE", "REGISTERED", "REMAINING"], rows.collect());
    output::line(&format!("\n{table}"));
}
