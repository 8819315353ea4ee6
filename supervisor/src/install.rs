//! `berth install`: units of systemd, so that what runs here comes back after a reboot.

use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::process::Command;

use config::Config;

use crate::error::{RoleError, Step};
use crate::role_kind::RoleKind;
use crate::sentences;

/// Where an administrator's units are (systemd.unit(5)).
const UNITS: &str = "/etc/systemd/system";
/// Exists where systemd runs (`sd_booted`(3)).
const BOOTED: &str = "/run/systemd/system";
/// The first line of a unit that this wrote: any other is somebody's own.
const MARK: &str = "# Written by `berth install`; changes belong in a drop-in (`systemctl edit`).";
/// Seconds that a role has to end: the router lets requests finish.
const STOP_SECONDS: u32 = 90;

/// What is to be installed.
#[derive(Debug, Clone, Copy)]
pub struct Install {
    /// One role alone; server, agent and router together where it is none.
    pub role: Option<RoleKind>,
    /// Print the unit instead.
    pub print: bool,
}

/// Runs it.
pub fn run(install: Install, config: &Config) -> Result<(), RoleError> {
    let name = unit_name(install.role);
    let text = unit(install.role, &program()?, &data_dir(config)?, config.link.server.as_deref());
    if install.print {
        text.lines().for_each(terminal::line);
        return Ok(());
    }
    if !Path::new(BOOTED).exists() {
        return Err(RoleError::NoSystemd);
    }
    let path = Path::new(UNITS).join(&name);
    match std::fs::read_to_string(&path) {
        Ok(known) if !known.starts_with(MARK) => return Err(RoleError::ForeignUnit { path }),
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Err(RoleError::file(&path)(error));
        }
        Ok(_) | Err(_) => {}
    }
    disk::write(&path, text.as_bytes(), 0o644).map_err(RoleError::file(&path))?;
    for arguments in [["daemon-reload", ""], ["enable", &name]] {
        systemctl(&arguments).map_err(RoleError::step(Step::EnableUnit))?;
    }
    terminal::note(&sentences::installed(&path, &name));
    Ok(())
}

fn unit_name(role: Option<RoleKind>) -> String {
    role.map_or_else(|| "berth.service".to_owned(), |role| format!("berth-{role}.service"))
}

fn program() -> Result<PathBuf, RoleError> {
    std::env::current_exe().map_err(RoleError::step(Step::EnableUnit))
}

/// A unit has no working directory of the person who writes it.
fn data_dir(config: &Config) -> Result<PathBuf, RoleError> {
    std::path::absolute(&config.data_dir).map_err(RoleError::file(&config.data_dir))
}

fn unit(role: Option<RoleKind>, program: &Path, data_dir: &Path, server: Option<&str>) -> String {
    let what =
        role.map_or_else(|| "registry, scheduler and router".to_owned(), |role| role.to_string());
    let mut words = vec![quoted(&program.display().to_string())];
    words.push(role.map_or("up", RoleKind::name).to_owned());
    words.extend(["--data-dir".to_owned(), quoted(&data_dir.display().to_string())]);
    let dials = matches!(role, Some(RoleKind::Agent | RoleKind::Router));
    if let Some(server) = server.filter(|_| dials) {
        words.extend(["--server".to_owned(), quoted(server)]);
    }
    let docker = match role {
        None | Some(RoleKind::Agent) => " docker.service",
        Some(_) => "",
    };
    // It listens for the router, and leaves the sockets where they outlive it.
    let store = match role {
        None | Some(RoleKind::Router) => "NotifyAccess=main\nFileDescriptorStoreMax=32\n",
        Some(_) => "",
    };
    // Only `up` goes on as another program; a role alone is restarted.
    let reload = if role.is_none() { "ExecReload=/bin/kill -HUP $MAINPID\n" } else { "" };
    format!(
        "{MARK}\n[Unit]\nDescription=Berth: {what}\nWants=network-online.target\n\
         After=network-online.target{docker}\n\
         # It is started again however often it ends.\nStartLimitIntervalSec=0\n\n\
         [Service]\nType=exec\nExecStart={}\n{reload}Restart=always\nRestartSec=2\n\
         # What it started ends with it; where it is killed, the next one takes that over.\nKillMode=process\n\
         TimeoutStopSec={STOP_SECONDS}\nLimitNOFILE=1048576\n{store}\n[Install]\nWantedBy=multi-user.target\n",
        words.join(" ")
    )
}

/// A word of `ExecStart=` (systemd.service(5), \"Command lines\").
fn quoted(word: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-:@[]+,=".contains(letter);
    let escaped = word.replace('%', "%%").replace('$', "$$");
    if !word.is_empty() && word.chars().all(plain) {
        return escaped;
    }
    format!("\"{}\"", escaped.replace('\\', "\\\\").replace('"', "\\\""))
}

fn systemctl(arguments: &[&str]) -> io::Result<()> {
    let words = arguments.iter().filter(|word| !word.is_empty());
    let output = Command::new("systemctl").args(words).output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(io::Error::other(String::from_utf8_lossy(&output.stderr).trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(role: Option<RoleKind>) -> String {
        let (program, dir) = (Path::new("/usr/bin/berth"), Path::new("/var/lib/my berth"));
        unit(role, program, dir, Some("10.0.0.1:7071"))
    }

    #[test]
    fn a_unit_starts_what_it_is_for_with_its_data() {
        let all = shown(None);
        assert!(all.starts_with(MARK));
        assert!(
            all.contains("ExecStart=/usr/bin/berth up --data-dir \"/var/lib/my berth\"\n"),
            "{all}"
        );
        assert!(all.contains("After=network-online.target docker.service\n"), "{all}");
        let agent = shown(Some(RoleKind::Agent));
        assert!(
            agent.contains("berth agent --data-dir \"/var/lib/my berth\" --server 10.0.0.1:7071\n")
        );
        let server = shown(Some(RoleKind::Server));
        assert!(!server.contains("docker") && !server.contains("--server"), "{server}");
    }

    #[test]
    fn a_word_is_one_word_whatever_it_holds() {
        assert_eq!(quoted("/a/b-c.d"), "/a/b-c.d");
        assert_eq!(quoted("/a b"), "\"/a b\"");
        assert_eq!(quoted("100%"), "\"100%%\"");
        assert_eq!(quoted("a\"$b\\"), "\"a\\\"$$b\\\\\"");
    }
}
