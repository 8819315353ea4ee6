//! What bounds containers, with a real Docker Engine.

use std::process::Command;

use model::{StopCause, TaskStatus};

use super::docker_fixture::{Fixture, WAITS, inspected};

#[tokio::test(flavor = "multi_thread")]
async fn a_task_is_bounded_as_a_whole_and_its_control_group_goes_with_it() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task(WAITS);
    (task.cpu, task.memory) = (Some(256), Some(64));
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    let parent = inspected(&seen, "{{.HostConfig.CgroupParent}}");
    assert!(parent.contains(&task.id.to_string()), "{parent}");
    let used =
        agent.until("its memory is measured", task.id, |seen| seen.peak_memory_mib.is_some());
    assert!(used.await.peak_memory_mib.unwrap() <= 64);
    let pid = inspected(&seen, "{{.State.Pid}}");
    let groups = std::fs::read_to_string(format!("/proc/{pid}/cgroup")).unwrap();
    assert!(groups.contains(&task.id.to_string()), "{groups}");
    let left = || {
        let found = Command::new("find")
            .args(["/sys/fs/cgroup", "-maxdepth", "3", "-name", &format!("*{}*", task.id)])
            .output();
        String::from_utf8(found.unwrap().stdout).unwrap()
    };
    assert_ne!(left(), "");
    fixture.close(agent, vec![task.clone()]).await;
    assert_eq!(left(), "");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_containers_that_use_more_than_their_task_has_run_out_of_memory_together() {
    let fixture = Fixture::open().await;
    // Docker watches for lack of memory only from a moment after the start.
    let takes = "sleep 1; exec dd if=/dev/zero of=/dev/null bs=30M";
    let mut task = fixture.task(takes);
    task.memory = Some(48);
    let mut other = task.containers[0].clone();
    other.name = super::name("other");
    task.containers.push(other);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it ends", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.stopped.unwrap().cause, Some(StopCause::OutOfMemory));
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_task_that_fills_more_of_the_disk_than_it_may_is_stopped_and_says_so() {
    let fixture = Fixture::open().await;
    let fine = fixture.task("dd if=/dev/zero of=/file bs=1M count=24; exec sleep 600");
    let mut large = fixture.task("dd if=/dev/zero of=/file bs=1M count=40; exec sleep 600");
    large.address = fixture.subnet.address(3);
    let tasks = [fine, large];
    let agent = fixture.start_agent(&tasks).await;
    let seen = agent.until("it ends", tasks[1].id, |seen| seen.status == TaskStatus::Stopped).await;
    let stopped = seen.stopped.unwrap();
    assert_eq!(stopped.cause, Some(StopCause::DiskLimit));
    assert!(stopped.reason.contains("40 MiB"), "{}", stopped.reason);
    agent.until("the other runs", tasks[0].id, |seen| seen.status == TaskStatus::Running).await;
    fixture.close(agent, tasks.to_vec()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_says_nothing_has_half_of_the_hosts_memory() {
    let fixture = Fixture::open().await;
    let task = fixture.task(WAITS);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it runs", task.id, |seen| seen.status == TaskStatus::Running).await;
    let half = crate::host_info::total_memory().unwrap() / 2 * 1024 * 1024;
    assert_eq!(
        inspected(
            &seen,
            "{{.HostConfig.Memory}} {{.HostConfig.CpuShares}} {{.HostConfig.CgroupParent}}"
        ),
        format!("{half} 128")
    );
    fixture.close(agent, vec![task]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_killed_for_memory_does_not_explain_the_end_of_the_main_process() {
    let fixture = Fixture::open().await;
    let mut task = fixture.task("sh -c 'tail /dev/zero'; echo survived; sleep 1; exit 0");
    task.containers[0].memory = Some(32);
    let agent = fixture.start_agent(std::slice::from_ref(&task)).await;
    let seen = agent.until("it ends", task.id, |seen| seen.status == TaskStatus::Stopped).await;
    assert_eq!(seen.stopped.unwrap().cause, Some(StopCause::ContainerExited));
    assert_eq!(seen.containers[0].exit_code, Some(0));
    assert!(seen.containers[0].reason.is_some(), "the killed child is told");
    // What the shell says of the child comes on the other stream, before or after.
    assert!(seen.containers[0].log_tail.iter().any(|line| line == "survived"));
    fixture.close(agent, vec![task]).await;
}
