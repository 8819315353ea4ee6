//! What the scheduler must know of a manifest: what it runs on, which ports it exposes, how large it is. An image's come from
//! its configuration, an index's from its images; attestations of an index do not count.

use std::collections::{BTreeMap, BTreeSet};

use model::Platform;
use serde::Deserialize;

use super::document::{Descriptor, platform};
use crate::rows::ManifestRow;

/// Platforms that are kept at most.
const MOST_PLATFORMS: usize = 256;
/// Ports that are kept at most.
const MOST_PORTS: usize = 1_024;

/// Details of a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Details {
    pub(crate) platforms: BTreeSet<Platform>,
    pub(crate) exposed_ports: BTreeSet<u16>,
    /// Bytes of all that it names.
    pub(crate) named_bytes: u64,
}

#[derive(Deserialize)]
struct Configuration {
    os: Option<String>,
    architecture: Option<String>,
    config: Option<Runtime>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Runtime {
    exposed_ports: Option<BTreeMap<String, serde_json::Value>>,
}

impl Details {
    /// Of an image. A configuration of another kind (a chart, a signature) has no details.
    pub(crate) fn of_image(configuration: Option<&[u8]>, named_bytes: u64) -> Self {
        let read = |bytes| serde_json::from_slice::<Configuration>(bytes).ok();
        let Some(Configuration { os, architecture, config }) = configuration.and_then(read) else {
            return Self { named_bytes, ..Self::default() };
        };
        let (os, architecture) = (os.unwrap_or_default(), architecture.unwrap_or_default());
        let ports = config.and_then(|config| config.exposed_ports).unwrap_or_default();
        let exposed_ports = ports.keys().filter_map(|port| tcp(port)).take(MOST_PORTS).collect();
        let platforms = platform(&os, &architecture).into_iter().collect();
        Self { platforms, exposed_ports, named_bytes }
    }

    /// Of an index: what its descriptors say of an image takes precedence over the image's configuration.
    pub(crate) fn of_index<'a>(
        children: impl Iterator<Item = (&'a Descriptor, &'a ManifestRow)>,
    ) -> Self {
        let mut details = Self::default();
        for (descriptor, child) in children {
            details.named_bytes = details.named_bytes.saturating_add(child.total_bytes);
            if descriptor.is_attestation() {
                continue;
            }
            match descriptor.platform() {
                Some(platform) => drop(details.platforms.insert(platform)),
                None => details.platforms.extend(child.platforms.iter().cloned()),
            }
            details.exposed_ports.extend(&child.exposed_ports);
        }
        while details.platforms.len() > MOST_PLATFORMS {
            details.platforms.pop_last();
        }
        while details.exposed_ports.len() > MOST_PORTS {
            details.exposed_ports.pop_last();
        }
        details
    }
}

/// `8080/tcp` and `8080`.
fn tcp(port: &str) -> Option<u16> {
    let number = port.strip_suffix("/tcp").unwrap_or(port);
    number.parse().ok().filter(|port| *port > 0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_image_is_described_by_its_configuration() {
        let configuration = json!({
            "os": "linux", "architecture": "amd64", "rootfs": {},
            "config": { "ExposedPorts": { "8080/tcp": {}, "53/udp": {}, "443": {}, "0": {}, "x": {} } },
        });
        let details = Details::of_image(Some(configuration.to_string().as_bytes()), 7);
        assert_eq!(details.platforms, BTreeSet::from([Platform::new("linux", "amd64")]));
        assert_eq!(details.exposed_ports, BTreeSet::from([443, 8080]));
        assert_eq!(details.named_bytes, 7);
    }

    /// `oci-spec`'s own type demands a root file system and knows every field's type.
    #[test]
    fn a_configuration_without_a_root_file_system_or_with_odd_fields_is_still_read() {
        let configuration = json!({
            "os": "plan9", "architecture": "mips", "created": 7, "rootfs": null, "history": {},
            "config": { "ExposedPorts": { "80/tcp": null }, "Entrypoint": "/run", "OnBuild": [] },
        });
        let details = Details::of_image(Some(configuration.to_string().as_bytes()), 0);
        assert_eq!(details.platforms, BTreeSet::from([Platform::new("plan9", "mips")]));
        assert_eq!(details.exposed_ports, BTreeSet::from([80]));
    }

    #[test]
    fn a_configuration_that_is_not_an_images_says_nothing() {
        for odd in ["", "{}", "[]", "null", r#"{"os":1}"#, r#"{"config":{"ExposedPorts":null}}"#] {
            let details = Details::of_image(Some(odd.as_bytes()), 0);
            assert_eq!(details, Details::default(), "{odd}");
        }
    }

    fn descriptor(value: &serde_json::Value) -> Descriptor {
        let mut descriptor = json!({ "digest": format!("sha256:{}", "00".repeat(32)), "size": 1 });
        for (key, value) in value.as_object().unwrap() {
            descriptor[key] = value.clone();
        }
        serde_json::from_value(descriptor).unwrap()
    }

    #[test]
    fn attestations_of_an_index_do_not_count() {
        let row = |os: &str, port| ManifestRow {
            media_type: String::new(),
            size_bytes: 1,
            total_bytes: 10,
            platforms: [Platform::new(os, "amd64")].into(),
            exposed_ports: [port].into(),
            subject: None,
        };
        let (linux, own, unknown) = (row("linux", 80), row("plan9", 81), row("unknown", 82));
        let described =
            descriptor(&json!({ "platform": { "os": "linux", "architecture": "arm64" } }));
        let silent = descriptor(&json!({}));
        let annotated = json!({ "vnd.docker.reference.type": "attestation-manifest" });
        let attestation = descriptor(&json!({ "annotations": annotated }));
        let nowhere =
            descriptor(&json!({ "platform": { "os": "unknown", "architecture": "unknown" } }));
        let children =
            [(&described, &linux), (&silent, &own), (&attestation, &unknown), (&nowhere, &unknown)];
        let details = Details::of_index(children.into_iter());
        let platforms = [Platform::new("linux", "arm64"), Platform::new("plan9", "amd64")];
        assert_eq!(details.platforms, platforms.into());
        assert_eq!(details.exposed_ports, [80, 81].into());
        assert_eq!(details.named_bytes, 40);
    }
}
