//! Every sentence of this room. Nothing decides on one: with the feature `reworded` all of them come out as other words.

use std::collections::BTreeSet;
use std::fmt;

use access::ResourceKind;
use model::sentence::say;
use model::{
    CommitError, ImageReference, PinnedImage, Principal, Reference, Refusal, ServiceName, Unmet,
};

use crate::Refused;
use crate::refused::{DeployError, DocumentError, DocumentFault};

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&say(refused(self)))
    }
}

/// Cause and next step.
fn refused(refused: &Refused) -> String {
    match refused {
        Refused::Unmet(unmet) => self::unmet(unmet),
        Refused::Commit(error) => commit(error),
        Refused::Contended => "somebody else was faster each time: try again".to_owned(),
        Refused::HistoryUnreadable(why) => format!("history cannot be read: {why}"),
        Refused::Missing { kind, name } => missing(*kind, name),
        Refused::AmbiguousId { kind, prefix, some: [one, other] } => format!(
            "several ids of a {} begin with `{prefix}`, as {one} and {other}: say more of it",
            kind.words()
        ),
        Refused::AmbiguousInstance(name) => {
            format!(
                "several instances are named `{name}`: say the id that `berth instance ls` shows"
            )
        }
        Refused::LastApiToken(token) => format!(
            "token `{token}` is the only API token of its owner, who could ask for nothing without it"
        ),
        Refused::InstanceConnected(name) => format!(
            "instance `{name}` is connected: end its agent first; `berth instance drain {name}` moves its tasks elsewhere"
        ),
        Refused::JoinTokenBounds { seconds, uses } => {
            format!("expiresInSeconds is 1 to {seconds} and uses is 1 to {uses}")
        }
        Refused::ForeignToken => {
            "nextToken is not one that this list gave: begin again without it".to_owned()
        }
        Refused::NoTargetGroup(service) => {
            format!("service `{service}` takes no traffic: it has no target group")
        }
        Refused::NothingToUpdate => {
            "the request changes nothing: give `status`, `allowedAddress` or both".to_owned()
        }
        Refused::NotOneAction => {
            "a rule has exactly one of serviceName, targetGroupName and fixedResponse".to_owned()
        }
        Refused::PathWithoutSlash(path) => format!("path `{path}` does not begin with `/`"),
        Refused::HostWithPort { host, name } => {
            format!("host `{host}` has a port: a rule holds on the listener's port, write `{name}`")
        }
        Refused::NothingToRollBackTo(service) => {
            format!("service `{service}` has no earlier revision that proved itself to go back to")
        }
        Refused::NotProven { service, revision, proven } => not_proven(service, *revision, proven),
        Refused::RuleOfRevision { service, revision } => format!(
            "the rule comes with revision {revision} of service `{service}`: say another host or path with `berth deploy \
             {service} --host HOST --path PATH`, or remove the service with `berth service rm {service}`"
        ),
        Refused::CountOutOfRange { count, most } => format!("count is {count}; use 1 to {most}"),
        Refused::TooLong { field: "reason", most } => {
            format!("the reason is longer than {most} characters")
        }
        Refused::TooLong { field, most } => format!("{field} is longer than {most} characters"),
        Refused::OverridesTooLarge { bytes, most } => {
            format!("the overrides have {bytes} bytes in all; {most} at most")
        }
        Refused::NoContainerToOverride { definition, container } => {
            format!("`{definition}` has no container `{container}` to override")
        }
        Refused::Overrides(error) => format!("the overrides cannot be: {error}"),
        Refused::ContainerMissing { task, container } => {
            format!("task `{task}` has no container `{container}`")
        }
        Refused::Deploy(error) => deploy(error),
        Refused::Document(error) => document(error),
    }
}

fn not_proven(service: &ServiceName, revision: u32, proven: &[u32]) -> String {
    let proven: Vec<_> = proven.iter().map(ToString::to_string).collect();
    let proven = if proven.is_empty() { "none".to_owned() } else { proven.join(", ") };
    format!(
        "revision {revision} of service `{service}` has not proved itself, or is not kept any more; it can go back to: \
         {proven}"
    )
}

/// Why an image cannot be deployed as it was asked for.
fn deploy(error: &DeployError) -> String {
    match error {
        DeployError::ForeignRegistry { image, own } => foreign_registry(image, own),
        DeployError::ImageMissing { image, own } => image_missing(image, own),
        DeployError::DefinitionSaysItself => {
            "a task definition says image, environment, cpu, memory and command itself: register a revision that says \
             them otherwise with `berth task-definition register`"
                .to_owned()
        }
        DeployError::PortOfKnownService(service) => format!(
            "service `{service}` takes its traffic at the port that the task definition maps: say no port"
        ),
        DeployError::PortNotMapped { definition, port } => {
            format!("task definition `{definition}` maps no TCP port {port}")
        }
        DeployError::SeveralContainers { service, count } => format!(
            "service `{service}` runs {count} containers per task: register a task definition with `berth task-definition \
             register` and deploy it with `berth deploy {service} --task-definition FAMILY`; `berth service scale \
             {service}` changes how many tasks it keeps"
        ),
        DeployError::PortZero => "port 0 is no port; use 1 to 65535".to_owned(),
        DeployError::TakesNoTraffic(service) => format!(
            "service `{service}` takes no traffic, so it has no host, path or health check: the image exposes no port; \
             say which one the application listens on with `--port`, or add EXPOSE to its Dockerfile"
        ),
        DeployError::TcpCheckWithAnswer => {
            "a TCP check has no answer: say matcher and host of an HTTP check only".to_owned()
        }
        DeployError::OutOfRange { field, value, most } => {
            format!("{field} is {value}; use 1 to {most}")
        }
        DeployError::NoContainer => "the task definition has no container".to_owned(),
        DeployError::HealthPath { path, encoded } => format!(
            "`{path}` is no path that a health check can ask for: it begins with `/`, and everything else than letters, digits \
             and the marks of a URL is percent-encoded, as in `{encoded}`"
        ),
        DeployError::TcpCheckWithPath => {
            "a TCP check has no path: say healthPath, or healthProtocol TCP, not both".to_owned()
        }
        DeployError::NoListenerYet => {
            "there is no listener yet: the server is still starting".to_owned()
        }
    }
}

/// Why a document is no task definition: everything that is wrong in it, a line each.
fn document(error: &DocumentError) -> String {
    let (faults, unsupported) = match error {
        DocumentError::NotADefinition => {
            return "the body is no task definition: it is not a JSON object".to_owned();
        }
        DocumentError::Faulty { faults, unsupported } => (faults, unsupported),
    };
    let mut lines = vec!["the task definition cannot be registered as it is:".to_owned()];
    lines.extend(faults.iter().map(|fault| format!("  {}", document_fault(fault))));
    if !unsupported.is_empty() {
        lines.push(
            "Berth does not have these. Take out what is not needed, or let `berth task-definition register --leave-out` \
             do it:"
                .to_owned(),
        );
        lines.extend(unsupported.iter().map(|field| format!("  {field}")));
    }
    let foreign = faults.iter().filter_map(|fault| {
        let DocumentFault::ForeignImage { image, own, .. } = fault else { return None };
        Some((image, own))
    });
    let copies: BTreeSet<_> =
        foreign.map(|(image, own)| format!("  {}", copy(image, own))).collect();
    if !copies.is_empty() {
        lines.push(
            "Berth runs images of its own registry. Copy them there, and name them as they are pushed:"
                .to_owned(),
        );
        lines.extend(copies);
    }
    lines.join("\n")
}

fn document_fault(fault: &DocumentFault) -> String {
    match fault {
        DocumentFault::Missing(place) => format!("`{place}` is missing"),
        DocumentFault::NotAnObject(place) => format!("`{place}` is not an object"),
        DocumentFault::Unreadable { place, cause } => format!("`{place}`: {cause}"),
        DocumentFault::NotAnAmount { field: field @ "cpu", text } => {
            format!("`{field}` is `{text}`; write CPU units, as 256, or cores, as \"1 vCPU\"")
        }
        DocumentFault::NotAnAmount { field, text } => {
            format!("`{field}` is `{text}`; write MiB, as 512, or \"2 GB\"")
        }
        DocumentFault::LaunchType(launch_type) => {
            format!("`requiresCompatibilities` holds {launch_type}, which is no launch type")
        }
        DocumentFault::ForeignImage { place, image, .. } => {
            format!("`{place}` is `{image}`, of another registry")
        }
    }
}

/// The command that copies an image of another registry to Berth's.
fn copy(image: &ImageReference, own: &str) -> String {
    let repository = &image.repository;
    let here = match &image.reference {
        Reference::Tag(tag) => format!("{own}/{repository}:{tag}"),
        // Docker pushes no digest; a part of it as the tag tells which image it is.
        Reference::Digest(digest) => {
            let digest = digest.to_string();
            let hex = digest.rsplit(':').next().unwrap_or_default();
            format!("{own}/{repository}:{}", hex.get(..12).unwrap_or(hex))
        }
    };
    format!("docker pull {image} && docker tag {image} {here} && docker push {here}")
}

fn unmet(unmet: &Unmet) -> String {
    match unmet {
        Unmet::CredentialEnded(_) => {
            "the token is not valid: it is mistyped, revoked or over; the administrator's token is in `admin.token` in \
             the data directory"
                .to_owned()
        }
        Unmet::Denied { .. } => unmet.to_string(),
        Unmet::Modified { .. } => {
            "it has changed since the state that If-Match names: read it again, and decide again"
                .to_owned()
        }
    }
}

fn commit(error: &CommitError) -> String {
    match error {
        CommitError::Refused(Refusal::NotFound { kind, name }) => {
            match ResourceKind::of_words(kind) {
                Some(kind) => missing(kind, name),
                None => format!("{kind} `{name}` does not exist; `berth status` shows what does"),
            }
        }
        CommitError::Refused(refusal @ Refusal::NotNext { .. }) => {
            format!("{refusal}: somebody else was faster, try again")
        }
        CommitError::Refused(refusal @ Refusal::RuleConflict { other, .. }) => {
            format!("{refusal}; choose another, or remove that rule with `berth rule rm {other}`")
        }
        CommitError::Unmet(unmet) => self::unmet(unmet),
        CommitError::GuardFailed { key } if PinnedImage::of_row_key(key).is_some() => {
            let image = PinnedImage::of_row_key(key).map(|image| image.to_string());
            format!(
                "image `{}` is not in the registry; `berth image tags` shows what is",
                image.unwrap_or_default()
            )
        }
        CommitError::Refused(_)
        | CommitError::GuardFailed { .. }
        | CommitError::TooLarge(_)
        | CommitError::Unavailable(_) => error.to_string(),
    }
}

/// What is not there, and where to see what is.
fn missing(kind: ResourceKind, name: &str) -> String {
    let list = match kind {
        ResourceKind::Service => "berth service ls",
        ResourceKind::Task => "berth task ls",
        ResourceKind::Cluster => "berth cluster ls",
        ResourceKind::TaskDefinition => "berth task-definition ls",
        ResourceKind::Instance => "berth instance ls",
        ResourceKind::Router => "berth router ls",
        ResourceKind::Repository => "berth image ls",
        ResourceKind::Token => "berth token ls",
        ResourceKind::Rule | ResourceKind::TargetGroup | ResourceKind::Listener => "berth rule ls",
        ResourceKind::Installation | ResourceKind::User => "berth status",
    };
    format!("{} `{name}` does not exist; `{list}` shows what does", kind.words())
}

fn foreign_registry(image: &ImageReference, own: &str) -> String {
    let registry = image.registry.as_deref().unwrap_or_default();
    format!(
        "image `{image}` is of registry `{registry}`; Berth runs images of its own registry only: copy it there with \
         `{}`",
        copy(image, own)
    )
}

fn image_missing(image: &ImageReference, own: &str) -> String {
    let name = ImageReference { registry: Some(own.to_owned()), ..image.clone() };
    let plain = ImageReference { registry: None, ..image.clone() };
    format!("image `{plain}` does not exist in the registry; push it first: `docker push {name}`")
}

/// What to do instead of a field that Berth does not have, where there is something.
pub(crate) fn instead(field: &str) -> Option<String> {
    let instead = match field {
        "logConfiguration" => "it keeps the log of every container: `berth task logs`",
        "healthCheck" => "its routers check health: `berth deploy --health-path`",
        "secrets" | "environmentFiles" => "give the values in `environment`",
        "networkMode" => "the containers of a task share one address: `bridge` and `awsvpc`",
        "dependsOn" => "containers start in the order of the definition",
        _ => return None,
    };
    Some(say(instead))
}

/// Which host a service does not answer for any more once a deployment has replaced the one before.
pub(crate) fn instead_of(host: &str) -> String {
    say(format!("instead of {host}, which goes when the new tasks have taken over"))
}

/// Why a task stops that somebody stopped.
pub(crate) fn stopped_by(principal: &Principal) -> String {
    say(format!("stopped by {principal}"))
}

/// Why everything stops.
pub(crate) fn stopped_by_down() -> String {
    say("stopped by `berth down`")
}

/// Where a value comes from that was not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Origin {
    AsBefore,
    ServiceName,
    Expose,
    LowestOfExpose,
    NoExpose,
    FirstMapped,
    Default,
    DefaultCheck,
}

impl Origin {
    /// In words.
    pub(crate) fn sentence(self) -> String {
        say(match self {
            Self::AsBefore => "as before",
            Self::ServiceName => "the service's name",
            Self::Expose => "the image's EXPOSE",
            Self::LowestOfExpose => "the lowest port of the image's EXPOSE",
            Self::NoExpose => {
                "the image exposes none: it runs as a worker, without traffic; see --port"
            }
            Self::FirstMapped => "the first that the task definition maps",
            Self::Default => "the default",
            Self::DefaultCheck => "the default: a GET of it answers 200 to 399",
        })
    }
}
