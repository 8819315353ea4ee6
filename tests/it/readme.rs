//! The README's first five minutes work as they are written: its commands, in a shell, in their order.

use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::harness::{Berth, docker, until};

const BUILD: &str = "docker build -t localhost:5000/hello .";

/// The commands of a section of the README, without their prompt and comment.
fn commands(section: &str) -> Vec<String> {
    let readme = include_str!("../../README.md");
    let text = readme.split("\n## ").find(|part| part.starts_with(section));
    let text = text.expect("the README has the section");
    let commands = text.lines().filter_map(|line| line.strip_prefix("$ "));
    commands.map(|line| line.split("  #").next().unwrap_or(line).trim().to_owned()).collect()
}

/// Runs a command of the README as its reader would, on this installation's ports; returns what it prints.
fn run(berth: &Berth, command: &str) -> String {
    let command = command.replace("localhost:5000", &on_localhost(&berth.registry()));
    let command = command.replace("localhost:8080", &on_localhost(&berth.router()));
    // A terminal would ask for it.
    let command = command.replace("-u admin", "-u admin --password-stdin");
    let bin = std::path::Path::new(env!("CARGO_BIN_EXE_berth")).parent().expect("a directory");
    let token = std::fs::File::open(berth.data().join("admin.token")).expect("a token");
    let output = Command::new("sh")
        .args(["-c", &format!("PATH={}:$PATH\n{command}", bin.display())])
        .current_dir(directory(berth))
        .env("BERTH_DATA_DIR", berth.data())
        .env("DOCKER_CONFIG", berth.home().join("docker"))
        .env_remove("BERTH_URL")
        .env_remove("BERTH_TOKEN")
        .stdin(Stdio::from(token))
        .output()
        .expect("there is a shell");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "$ {command}\n{stdout}\n{stderr}");
    stdout
}

/// The same port by the name that the README uses.
fn on_localhost(address: &str) -> String {
    format!("localhost:{}", address.rsplit(':').next().unwrap_or_default())
}

fn directory(berth: &Berth) -> PathBuf {
    berth.home().join("hello")
}

/// A directory as the README supposes it: a Dockerfile with an EXPOSE. Docker gets the image that it is made from.
fn write_dockerfile(berth: &Berth, version: &str) -> String {
    let base = docker::load(berth, "base", version, &[]);
    std::fs::create_dir_all(directory(berth)).expect("a directory");
    let mut file = std::fs::File::create(directory(berth).join("Dockerfile")).expect("a file");
    writeln!(file, "FROM {base}\nEXPOSE 8080").expect("written");
    base
}

/// Docker's id of what was built last.
fn image_id(berth: &Berth) -> String {
    run(berth, "docker images --quiet --no-trunc localhost:5000/hello:latest").trim().to_owned()
}

#[test]
fn the_first_five_minutes_of_the_readme_work_as_written() {
    let mut commands = commands("The first five minutes").into_iter();
    assert_eq!(commands.next().as_deref(), Some("berth up"));
    let berth = Berth::up();
    let mut images = vec![write_dockerfile(&berth, "1")];
    let mut asked = Vec::new();
    for command in commands {
        if command == "docker push localhost:5000/hello" && asked.contains(&command) {
            images.push(write_dockerfile(&berth, "2"));
            run(&berth, BUILD);
            images.push(image_id(&berth));
        }
        let said = run(&berth, &command);
        if command == BUILD {
            images.push(image_id(&berth));
        } else if command.starts_with("berth deploy") {
            assert_eq!(berth.tasks("hello").len(), 3, "{said}");
            assert_eq!(said.trim(), format!("http://hello.{}", on_localhost(&berth.router())));
        } else if command.starts_with("curl") {
            assert!(said.contains("version 1"), "{said}");
        }
        asked.push(command);
    }
    assert!(asked.len() > 6, "{asked:?}");
    until("the second push has rolled out by itself", || {
        run(&berth, "curl -s http://hello.localhost:8080").contains("version 2")
    });
    berth.settles("hello");
    berth.down();
    docker::remove_images(&images);
}
