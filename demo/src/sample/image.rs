//! The sample application's images, made in memory as a `docker save` archive: one layer with this very binary and the
//! shared libraries that it has loaded, and one configuration per version.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};

use oci_spec::image::{Config, History, ImageConfiguration, Os, RootFs};
use serde::Serialize;
use sha2::{Digest as _, Sha256};

use super::Fault;

/// When every version was made: a fixed time, so that the same files give the same image.
const CREATED: &str = "2026-01-01T00:00:00Z";

/// One image of the archive.
#[derive(Debug, Clone)]
pub struct Version {
    /// What the application calls itself.
    pub version: String,
    /// What is wrong with it.
    pub fault: Fault,
    /// The architecture that it is for, in the words of image configurations.
    pub architecture: String,
    /// `repository:tag` under which Docker lists it.
    pub reference: String,
}

/// The archive, ready for `docker load`.
pub fn archive(versions: &[Version]) -> io::Result<Vec<u8>> {
    let layer = layer()?;
    let diff_id = sha256(&layer);
    let mut tar = Tar::default();
    tar.add("layer.tar", &layer, 0o644)?;
    let mut manifest = Vec::new();
    for version in versions {
        let config = serde_json::to_vec(&configuration(version, &diff_id))?;
        let name = format!("{}.json", sha256(&config));
        tar.add(&name, &config, 0o644)?;
        let repo_tags = [version.reference.clone()];
        manifest.push(SavedImage { config: name, repo_tags, layers: ["layer.tar"] });
    }
    tar.add("manifest.json", &serde_json::to_vec(&manifest)?, 0o644)?;
    tar.finish()
}

/// An entry of the archive's `manifest.json`, in the form of Docker's image specification v1.2, which `docker load` reads.
#[derive(Debug, Serialize)]
#[serde(rename_all = "PascalCase")]
struct SavedImage {
    config: String,
    repo_tags: [String; 1],
    layers: [&'static str; 1],
}

fn configuration(version: &Version, diff_id: &str) -> ImageConfiguration {
    let fault = version.fault.name();
    let mut config = Config::default();
    config
        .set_entrypoint(Some(["/berth", "demo-application"].map(str::to_owned).to_vec()))
        .set_env(Some(vec![
            format!("SAMPLE_VERSION={}", version.version),
            format!("SAMPLE_FAULT={fault}"),
        ]))
        .set_exposed_ports(Some(vec!["8080/tcp".to_owned()]))
        .set_user(Some("65532:65532".to_owned()));
    let mut root = RootFs::default();
    root.set_diff_ids(vec![format!("sha256:{diff_id}")]);
    let mut history = History::default();
    history.set_created(Some(CREATED.to_owned())).set_created_by(Some("berth demo".to_owned()));
    let mut image = ImageConfiguration::default();
    image
        .set_architecture(version.architecture.as_str().into())
        .set_os(Os::Linux)
        .set_created(Some(CREATED.to_owned()))
        .set_config(Some(config))
        .set_rootfs(root)
        .set_history(Some(vec![history]));
    image
}

/// This program's architecture in the words of image configurations.
pub fn own_architecture() -> &'static str {
    match std::env::consts::ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        other => other,
    }
}

/// The same files give the same bytes, so that all versions share one layer.
fn layer() -> io::Result<Vec<u8>> {
    let mut tar = Tar::default();
    tar.add("berth", &std::fs::read("/proc/self/exe")?, 0o755)?;
    for path in shared_libraries()? {
        let name = path.strip_prefix("/").unwrap_or(&path).to_string_lossy().into_owned();
        tar.add(&name, &std::fs::read(&path)?, 0o755)?;
    }
    tar.finish()
}

/// What this process has loaded, and its loader at the path that programs name it by.
fn shared_libraries() -> io::Result<BTreeSet<PathBuf>> {
    let own = std::fs::read_link("/proc/self/exe")?;
    let maps = std::fs::read_to_string("/proc/self/maps")?;
    let mapped = maps
        .lines()
        .filter_map(|line| line.split_whitespace().nth(5))
        .filter(|path| path.starts_with('/') && path.contains(".so"))
        .map(PathBuf::from)
        .filter(|path| *path != own);
    let loaders = ["/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1"];
    let loaders = loaders.map(Path::new).into_iter().filter(|path| path.exists());
    Ok(mapped.chain(loaders.map(Path::to_owned)).collect())
}

fn sha256(bytes: &[u8]) -> String {
    hex::encode(Sha256::digest(bytes))
}

/// A tar whose bytes follow from its entries alone: no times, no owners.
#[derive(Default)]
struct Tar(Option<tar::Builder<Vec<u8>>>);

impl Tar {
    fn add(&mut self, name: &str, bytes: &[u8], mode: u32) -> io::Result<()> {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(mode);
        let builder = self.0.get_or_insert_with(|| tar::Builder::new(Vec::new()));
        builder.append_data(&mut header, name, bytes)
    }

    fn finish(self) -> io::Result<Vec<u8>> {
        self.0.unwrap_or_else(|| tar::Builder::new(Vec::new())).into_inner()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_share_one_layer_and_differ_in_configuration_only() {
        let version = |version: &str| Version {
            version: version.to_owned(),
            fault: Fault::None,
            architecture: own_architecture().to_owned(),
            reference: format!("sample:{version}"),
        };
        let bytes = archive(&[version("1"), version("2")]).unwrap();
        let mut archive = tar::Archive::new(bytes.as_slice());
        let names: Vec<String> = archive
            .entries()
            .unwrap()
            .map(|entry| entry.unwrap().path().unwrap().to_string_lossy().into_owned())
            .collect();
        let count = |extension: &str| {
            let named = |name: &&String| name.rsplit('.').next() == Some(extension);
            names.iter().filter(named).count()
        };
        assert_eq!((count("tar"), count("json")), (1, 3));
    }

    #[test]
    fn the_configuration_says_what_docker_and_the_registry_read() {
        let version = Version {
            version: "2".to_owned(),
            fault: Fault::Exits,
            architecture: "arm64".to_owned(),
            reference: "sample:2".to_owned(),
        };
        let written = serde_json::to_value(configuration(&version, "00")).unwrap();
        let expected = serde_json::json!({
            "architecture": "arm64",
            "os": "linux",
            "created": CREATED,
            "config": {
                "Entrypoint": ["/berth", "demo-application"],
                "Env": ["SAMPLE_VERSION=2", "SAMPLE_FAULT=exits"],
                "ExposedPorts": {"8080/tcp": {}},
                "User": "65532:65532",
            },
            "rootfs": {"type": "layers", "diff_ids": ["sha256:00"]},
            "history": [{"created": CREATED, "created_by": "berth demo"}],
        });
        assert_eq!(written, expected);
    }
}
