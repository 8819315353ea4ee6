//! What tests with a real Docker Engine work with: an image from a registry that the test plays, and an agent. Everything
//! is labelled with an installation of the test's own and removed in the end.

use std::process::Command;
use std::time::Duration;

use futures_util::StreamExt as _;
use model::{AssignedTask, TaskStatus, Wanted};

use super::registry::Registry;
use super::task;
use super::test_agent::{TestAgent, new_task, somebody, view};
use crate::docker::Lines;
use crate::owner::Owner;

pub(super) const WAITS: &str =
    "trap 'echo asked to stop; exit 5' TERM; echo hello; while :; do sleep 0.05; done";

/// What a test works with.
pub(super) struct Fixture {
    pub(super) owner: Owner,
    pub(super) registry: Registry,
    pub(super) subnet: model::Subnet,
}

impl Fixture {
    pub(super) async fn open() -> Self {
        Self::with(Registry::start().await)
    }

    pub(super) fn with(registry: Registry) -> Self {
        let owner = somebody();
        // A corner of the private addresses that the test's own ids choose.
        let bytes: [u8; 2] = rand::random();
        let subnet = format!("10.{}.{}.0/28", 192 + bytes[0] % 60, bytes[1]).parse().unwrap();
        Self { owner, registry, subnet }
    }

    pub(super) async fn start_agent(&self, tasks: &[AssignedTask]) -> TestAgent {
        TestAgent::start(self.owner, None, self.registry.base.clone(), self.view(tasks)).await
    }

    pub(super) fn view(&self, tasks: &[AssignedTask]) -> model::AgentView {
        view(&self.owner, self.subnet, tasks)
    }

    /// A task that runs this in the shell.
    pub(super) fn task(&self, script: &str) -> AssignedTask {
        let mut task = task();
        task.id = new_task();
        task.address = self.subnet.address(2);
        task.ports.clear();
        let container = &mut task.containers[0];
        container.image = self.registry.image.clone();
        container.entry_point = Some(vec!["/bin/sh".to_owned(), "-c".to_owned()]);
        container.command = Some(vec![script.to_owned()]);
        container.stop_timeout_secs = 20;
        task
    }

    /// Stops the tasks and lets the agent end; then nothing must be left.
    pub(super) async fn close(self, agent: TestAgent, tasks: Vec<AssignedTask>) {
        self.strike(&agent, tasks).await;
        agent.end().await;
        let (engine, _) = crate::docker::Engine::connect(None).await.unwrap();
        assert_eq!(engine.list(&self.owner).await.unwrap(), []);
        let networks = engine.networks().await.unwrap();
        let left = networks.0.iter().find(|network| self.owner.has(&network.labels));
        assert!(left.is_none(), "{left:?}");
    }

    pub(super) async fn strike(&self, agent: &TestAgent, mut tasks: Vec<AssignedTask>) {
        for wanted in [Wanted::Stop, Wanted::Reap] {
            for task in &mut tasks {
                task.wanted = wanted;
            }
            agent.set_view(self.view(&tasks));
            for task in &tasks {
                let is = |seen: &link::message::SeenTask| {
                    seen.status == TaskStatus::Stopped && (wanted == Wanted::Stop || seen.reaped)
                };
                agent.until("it ends", task.id, is).await;
            }
        }
        agent.set_view(self.view(&[]));
        agent.until_report("nothing is left", |report| report.tasks.is_empty().then_some(())).await;
    }
}

/// Also what a failed test or a crashed agent has left is removed.
impl Drop for Fixture {
    fn drop(&mut self) {
        let label = format!("label=berth.installation={}", self.owner.installation);
        let digest = self.registry.image.digest;
        let script = format!(
            "docker ps -aq --filter {label} | xargs -r docker rm -f
             docker network ls -q --filter {label} | xargs -r docker network rm
             docker images --digests --format '{{{{.Repository}}}}@{{{{.Digest}}}}' | grep {digest} | xargs -r docker rmi"
        );
        Command::new("sh").args(["-c", &script]).output().ok();
    }
}

pub(super) fn inspected(seen: &link::message::SeenTask, format: &str) -> String {
    let id = seen.containers[0].runtime_id.clone().unwrap();
    let output = Command::new("docker").args(["inspect", "--format", format, id.as_str()]).output();
    String::from_utf8(output.unwrap().stdout).unwrap().trim().to_owned()
}

impl Fixture {
    pub(super) fn named(&self, task: &AssignedTask, index: usize) -> String {
        self.owner.container(task.id, &task.containers[index].name)
    }

    pub(super) fn name(&self, task: &AssignedTask) -> String {
        self.named(task, 0)
    }

    /// Waits until the task's first container has written this.
    pub(super) async fn until_log(&self, agent: &TestAgent, task: &AssignedTask, text: &str) {
        // Docker takes a name in an id's place.
        let id = model::ContainerId::from(self.name(task));
        let waiting = async {
            let mut log = Box::pin(agent.engine.log(&id, true, None));
            let mut lines = Lines::default();
            while let Some(output) = log.next().await {
                if lines.take(output.unwrap()).iter().any(|line| line == text) {
                    return;
                }
            }
            panic!("its log ends without `{text}`");
        };
        tokio::time::timeout(Duration::from_secs(30), waiting).await.expect("it writes that");
    }
}

/// What the `docker` command prints.
pub(super) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker").args(arguments).output();
    let output = output.expect("these tests need the docker command: apt install docker.io");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
