//! How many placements per second plan and store make together, with 100,000 tasks on 1,000 instances there already: the
//! plan, its batches submitted at once to a store on disk, until each is durable.
//!
//! `cargo bench --bench scheduler`, for another size with `-- --instances COUNT`. Needs neither Docker nor another process.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use model::{
    Change, Cluster, ClusterChange, ClusterId, DeploymentCause, DeploymentChange, DeploymentId,
    Digest, HostIdentity, InstallationId, Instance, InstanceChange, InstanceId, InstanceStatus,
    NewDeployment, NewService, Observed, PinnedImage, Platform, Repository, RepositoryChange,
    Resources, RevisionOrigin, RolledOut, ServiceChange, ServiceId, ServiceRevision,
    ServiceRevisionId, Tag, TaskDefinition, TaskDefinitionChange, Timestamp,
};
use scheduler::Settings;
use serde_json::json;
use store::Store;

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
/// Instances of a whole run.
const INSTANCES: u32 = 1_000;
const TASKS_PER_INSTANCE: u32 = 100;
/// Tasks of one service: as many as ECS lets one have.
const TASKS_PER_SERVICE: u32 = 5_000;

fn random(n: u32) -> [u8; 10] {
    let mut random = [0; 10];
    random[..4].copy_from_slice(&n.to_be_bytes());
    random
}

fn main() {
    // The test runner asks every target for its tests.
    if std::env::args().any(|argument| argument == "--list" || argument == "--test") {
        return;
    }
    let mut arguments = std::env::args().skip_while(|argument| argument != "--instances").skip(1);
    let instances = arguments.next().and_then(|count| count.parse().ok()).unwrap_or(INSTANCES);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    runtime.expect("a runtime").block_on(run(instances));
}

async fn run(instances: u32) {
    let dir = tempfile::tempdir().expect("a directory");
    let store = Store::open(dir.path()).expect("a store");
    let mut observed = Observed::new(NOW);
    begin(&store, instances, &mut observed).await;
    let services = (instances * TASKS_PER_INSTANCE).div_ceil(TASKS_PER_SERVICE);
    for n in 0..services {
        add_service(&store, n).await;
        place(&store, &observed, Submission::Together).await;
    }
    let there = store.state().tasks().count();
    let case =
        format!("{TASKS_PER_SERVICE} placements beside {there} tasks on {instances} instances");
    let mut rows = Vec::new();
    for (n, submission) in (services..).zip([Submission::OneByOne, Submission::Together]) {
        add_service(&store, n).await;
        let Placed { tasks, planning, committing, settled } =
            place(&store, &observed, submission).await;
        let rate = |took: Duration| f64::from(tasks) / took.as_secs_f64();
        let of = |what: &str| format!("{what}, batches {}", submission.name());
        rows.push((of("placements committed per second"), rate(committing), "1/s"));
        rows.push((of("placements planned per second"), rate(planning), "1/s"));
        rows.push((of("plan of a settled state"), settled.as_secs_f64(), "s"));
    }
    let mut out = std::io::stdout().lock();
    writeln!(out, "{case}").expect("stdout is open");
    for (metric, value, unit) in &rows {
        writeln!(out, "  {metric:<64}{value:>12.3} {unit}").expect("stdout is open");
    }
    let json: Vec<_> = rows
        .iter()
        .map(|(metric, value, unit)| {
            json!({"case": case, "system": "berth", "metric": metric, "value": value, "unit": unit})
        })
        .collect();
    let path = "target/bench/scheduler.json";
    std::fs::create_dir_all("target/bench").expect("a directory");
    let text = serde_json::to_vec_pretty(&json).expect("figures are JSON");
    disk::write(std::path::Path::new(path), &text, 0o644).expect("it is written");
}

/// How the batches of a plan go to the store.
#[derive(Debug, Clone, Copy)]
enum Submission {
    /// Each once the one before is durable.
    OneByOne,
    /// All at once, in their order, as the server does.
    Together,
}

impl Submission {
    fn name(self) -> &'static str {
        match self {
            Self::OneByOne => "one by one",
            Self::Together => "together",
        }
    }
}

struct Placed {
    tasks: u32,
    /// The plan that places them.
    planning: Duration,
    /// Until that is durable.
    committing: Duration,
    /// The plan that finds nothing to do.
    settled: Duration,
}

/// Plans and commits until nothing is left to do.
async fn place(store: &Store, observed: &Observed, submission: Submission) -> Placed {
    let mut placed = Placed {
        tasks: 0,
        planning: Duration::ZERO,
        committing: Duration::ZERO,
        settled: Duration::ZERO,
    };
    for round in 0.. {
        let begun = now();
        let state = store.state();
        let plan = scheduler::plan(&state, observed, NOW, &Settings::default(), random(round));
        let planning = begun.elapsed();
        if plan.batches.is_empty() {
            placed.settled = planning;
            break;
        }
        let begun = now();
        let mut batches = plan.batches.into_iter().map(|batch| store.apply(batch.concat(), NOW));
        match submission {
            Submission::OneByOne => {
                for batch in &mut batches {
                    batch.await.expect("nobody else writes");
                }
            }
            Submission::Together => {
                for outcome in join_all(batches).await {
                    outcome.expect("nobody else writes");
                }
            }
        }
        let tasks = store.state().tasks().count() - state.tasks().count();
        if tasks > 1 {
            placed.tasks += u32::try_from(tasks).expect("some thousands");
            placed.planning += planning;
            placed.committing += begun.elapsed();
        }
    }
    placed
}

#[expect(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn now() -> Instant {
    Instant::now()
}

async fn commit(store: &Store, changes: Vec<Change>) {
    store.apply(changes, NOW).await.expect("the store takes it");
}

async fn begin(store: &Store, instances: u32, observed: &mut Observed) {
    let cluster = Cluster {
        id: ClusterId::new(NOW, random(0)),
        name: "default".parse().expect("a name"),
        created_at: NOW,
    };
    let tag = tag();
    let repository = Repository { name: tag.repository.clone(), created_at: NOW };
    let first = [
        Change::Install(InstallationId::new(NOW, random(0))),
        ClusterChange::Create(cluster).into(),
        RepositoryChange::Create(repository).into(),
        RepositoryChange::PutTag(tag).into(),
        TaskDefinitionChange::Register(definition()).into(),
    ];
    commit(store, first.into()).await;
    for n in 0..instances {
        let instance = instance(n);
        observed.hear_instance(instance.id, true, NOW);
        commit(store, vec![InstanceChange::Register(instance).into()]).await;
    }
}

async fn add_service(store: &Store, n: u32) {
    let service = NewService {
        desired_count: TASKS_PER_SERVICE,
        ..NewService::new(
            ServiceId::new(NOW, random(n)),
            "default".parse().expect("a name"),
            format!("service-{n}").parse().expect("a name"),
            NOW,
        )
    };
    let tag = tag();
    let image = PinnedImage { repository: tag.repository, digest: tag.digest };
    let first = NewDeployment {
        id: DeploymentId::new(NOW, random(n)),
        service: service.id,
        revision: RolledOut::New(ServiceRevision {
            id: ServiceRevisionId::new(NOW, random(n)),
            service: service.id,
            number: 1,
            base: None,
            origin: RevisionOrigin::Requested,
            task_definition: definition().key(),
            images: BTreeMap::from([("web".parse().expect("a name"), image)]),
            load_balancers: Vec::new(),
            created_at: NOW,
            created_by: String::new(),
        }),
        cause: DeploymentCause::Requested,
        created_at: NOW,
        created_by: String::new(),
    };
    let changes =
        vec![ServiceChange::Create(service).into(), DeploymentChange::Start(first).into()];
    commit(store, changes).await;
}

fn definition() -> TaskDefinition {
    serde_json::from_value(json!({
        "family": "hello", "revision": 1, "registeredAt": NOW,
        "containerDefinitions": [{
            "name": "web", "image": "hello:latest", "cpu": 10, "memory": 10,
            "portMappings": [{"containerPort": 8080}]
        }]
    }))
    .expect("the definition is well-formed")
}

fn instance(n: u32) -> Instance {
    let [_, _, high, low] = n.to_be_bytes();
    Instance {
        id: InstanceId::new(NOW, random(n)),
        cluster: "default".parse().expect("a name"),
        name: format!("i{n}"),
        status: InstanceStatus::Active,
        capacity: Resources::new(100_000, 100_000),
        platform: Platform::new("linux", "amd64"),
        host: HostIdentity::default(),
        advertised_address: IpAddr::V4(Ipv4Addr::new(192, 0, high, low)),
        allowed_address: None,
        subnet: Some(format!("10.{high}.{low}.0/24").parse().expect("a subnet")),
        last_address: 0,
        last_port: 0,
        attributes: BTreeMap::new(),
        suspended: false,
        disk_low: false,
        agent_version: "0".to_owned(),
        docker_version: "0".to_owned(),
        divides_limits: None,
        registered_at: NOW,
    }
}

fn tag() -> Tag {
    Tag {
        repository: "hello".parse().expect("a name"),
        name: "latest".parse().expect("a name"),
        digest: Digest::Sha256([1; 32]),
        media_type: "application/vnd.oci.image.manifest.v1+json".to_owned(),
        size_bytes: 1,
        platforms: [].into(),
        exposed_ports: [8080].into(),
        pushed_at: NOW,
        pushed_by: "user/admin".to_owned(),
    }
}
