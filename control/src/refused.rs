//! Why a request was not done: a closed set, with the code that each has on the wire.

use access::ResourceKind;
use api::{LeftOutField, ProblemCode};
use model::definition::DefinitionError;
use model::{
    CommitError, ContainerName, CredentialId, ImageReference, PinnedImage, Refusal, Revision,
    ServiceName, TaskId, Unmet,
};

/// Why a request was not done. Nothing of it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refused {
    /// Who asks may not, or what they took for granted does not hold.
    Unmet(Unmet),
    /// It cannot be committed.
    Commit(CommitError),
    /// Somebody else was faster each time that it was decided.
    Contended,
    /// History cannot be read.
    HistoryUnreadable(String),
    /// What is named is not there.
    Missing {
        /// What it would be.
        kind: ResourceKind,
        /// How it was named.
        name: String,
    },
    /// Several ids begin like this.
    AmbiguousId {
        /// What they name.
        kind: ResourceKind,
        /// What was given.
        prefix: String,
        /// Two of them.
        some: [String; 2],
    },
    /// Several instances have the name.
    AmbiguousInstance(String),
    /// The agent of an instance that should be removed is on the line.
    InstanceConnected(String),
    /// The only API token of somebody, without which they could ask for nothing.
    LastApiToken(CredentialId),
    /// A join token that would live too long or be used too often.
    JoinTokenBounds {
        /// Seconds at most.
        seconds: u32,
        /// Uses at most.
        uses: u32,
    },
    /// A page token that the list did not give.
    ForeignToken,
    /// A rule for a service without a target group.
    NoTargetGroup(ServiceName),
    /// An update of an instance that changes nothing.
    NothingToUpdate,
    /// A rule that does nothing, or several things.
    NotOneAction,
    /// A path that could never match.
    PathWithoutSlash(String),
    /// A host that could never match.
    HostWithPort {
        /// What was given.
        host: String,
        /// What would match.
        name: String,
    },
    /// The service has no earlier revision that proved itself.
    NothingToRollBackTo(ServiceName),
    /// A revision that did not prove itself, or is not kept any more.
    NotProven {
        /// The service.
        service: ServiceName,
        /// The revision, by number.
        revision: u32,
        /// Those that can be gone back to, the newest first.
        proven: Vec<u32>,
    },
    /// A rule that comes and goes with a revision of a service.
    RuleOfRevision {
        /// The service.
        service: ServiceName,
        /// The revision, by number.
        revision: u32,
    },
    /// Too many tasks, or none.
    CountOutOfRange {
        /// What was given.
        count: u32,
        /// How many at once.
        most: u32,
    },
    /// A text that is too long.
    TooLong {
        /// The field.
        field: &'static str,
        /// Characters at most.
        most: usize,
    },
    /// Overrides that are too large.
    OverridesTooLarge {
        /// What was given.
        bytes: usize,
        /// Bytes at most.
        most: usize,
    },
    /// Overrides of a container that the definition does not have.
    NoContainerToOverride {
        /// The definition.
        definition: Revision,
        /// The container.
        container: ContainerName,
    },
    /// Overrides that make an impossible definition.
    Overrides(DefinitionError),
    /// It cannot be deployed as it was asked for.
    Deploy(DeployError),
    /// The document is no task definition of Berth's.
    Document(DocumentError),
    /// The task has no such container.
    ContainerMissing {
        /// The task.
        task: TaskId,
        /// The container.
        container: ContainerName,
    },
}

/// Why an image or a task definition cannot be deployed as it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DeployError {
    /// An image of another registry.
    ForeignRegistry {
        /// The image.
        image: Box<ImageReference>,
        /// `host:port` of Berth's own registry.
        own: String,
    },
    /// An image that the registry does not have.
    ImageMissing {
        /// The image.
        image: Box<ImageReference>,
        /// `host:port` of Berth's own registry.
        own: String,
    },
    /// What a task definition says itself cannot be said beside it.
    DefinitionSaysItself,
    /// The port of a service that is there follows its task definition.
    PortOfKnownService(ServiceName),
    /// The definition does not map the port.
    PortNotMapped {
        /// The definition.
        definition: Revision,
        /// The port.
        port: u16,
    },
    /// The service's tasks have several containers, so it is not known which one is meant.
    SeveralContainers {
        /// The service.
        service: ServiceName,
        /// How many.
        count: usize,
    },
    /// Port 0.
    PortZero,
    /// How a service is reached was said of one that takes no traffic.
    TakesNoTraffic(ServiceName),
    /// What a health check's answer should be was said of a connection, which has none.
    TcpCheckWithAnswer,
    /// A value out of its range, which begins at 1.
    OutOfRange {
        /// The field.
        field: &'static str,
        /// What was given.
        value: u32,
        /// What it may be at most.
        most: u32,
    },
    /// A task definition without a container.
    NoContainer,
    /// A path of a health check that cannot be asked for.
    HealthPath {
        /// What was given.
        path: String,
        /// What would be asked for.
        encoded: String,
    },
    /// A TCP check with a path.
    TcpCheckWithPath,
    /// The server has not made its listener yet.
    NoListenerYet,
}

/// Why a document is no task definition of Berth's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentError {
    /// A document that is no task definition.
    NotADefinition,
    /// One with faults, all of which are told.
    Faulty {
        /// What is wrong.
        faults: Vec<DocumentFault>,
        /// What ECS has and Berth does not, which may be left out.
        unsupported: Vec<LeftOutField>,
    },
}

/// One thing that is wrong in a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DocumentFault {
    /// A field that must be there.
    Missing(String),
    /// A container that is no object.
    NotAnObject(String),
    /// A value that cannot be.
    Unreadable {
        /// Where it stands.
        place: String,
        /// Why.
        cause: String,
    },
    /// A text that should be an amount.
    NotAnAmount {
        /// The field.
        field: &'static str,
        /// What was given.
        text: String,
    },
    /// A launch type that ECS does not have.
    LaunchType(String),
    /// An image of another registry.
    ForeignImage {
        /// Where it stands.
        place: String,
        /// The image.
        image: Box<ImageReference>,
        /// `host:port` of Berth's own registry.
        own: String,
    },
}

impl Refused {
    /// What is named is not there.
    pub(crate) fn missing(kind: ResourceKind, name: &impl ToString) -> Self {
        Self::Missing { kind, name: name.to_string() }
    }

    /// Its code on the wire.
    pub fn code(&self) -> ProblemCode {
        match self {
            Self::Unmet(Unmet::CredentialEnded(_)) => ProblemCode::Unauthenticated,
            Self::Unmet(Unmet::Denied { .. }) => ProblemCode::AccessDenied,
            Self::Unmet(Unmet::Modified { .. }) => ProblemCode::PreconditionFailed,
            Self::Commit(error) => code_of(error),
            Self::Contended => ProblemCode::Conflict,
            Self::HistoryUnreadable(_) => ProblemCode::Unavailable,
            Self::Missing { kind, name: _ } => missing(*kind),
            Self::AmbiguousInstance(_) | Self::AmbiguousId { .. } => ProblemCode::AmbiguousName,
            Self::InstanceConnected(_) => ProblemCode::InstanceConnected,
            Self::Deploy(error) => error.code(),
            Self::Document(DocumentError::Faulty { faults, .. }) if faults.is_empty() => {
                ProblemCode::Unsupported
            }
            Self::NoTargetGroup(_) => ProblemCode::NoTargetGroup,
            Self::NothingToRollBackTo(_) | Self::NotProven { .. } => {
                ProblemCode::NothingToRollBackTo
            }
            Self::RuleOfRevision { .. } | Self::LastApiToken(_) => ProblemCode::InUse,
            Self::ContainerMissing { .. } => ProblemCode::ContainerNotFound,
            Self::JoinTokenBounds { .. }
            | Self::ForeignToken
            | Self::NothingToUpdate
            | Self::NotOneAction
            | Self::PathWithoutSlash(_)
            | Self::HostWithPort { .. }
            | Self::CountOutOfRange { .. }
            | Self::TooLong { .. }
            | Self::OverridesTooLarge { .. }
            | Self::NoContainerToOverride { .. }
            | Self::Document(_)
            | Self::Overrides(_) => ProblemCode::InvalidParameter,
        }
    }
}

impl DeployError {
    fn code(&self) -> ProblemCode {
        match self {
            Self::ImageMissing { .. } => ProblemCode::ImageNotFound,
            Self::SeveralContainers { .. } => ProblemCode::SeveralContainers,
            Self::TakesNoTraffic(_) => ProblemCode::NoPort,
            Self::NoListenerYet => ProblemCode::Unavailable,
            Self::ForeignRegistry { .. }
            | Self::DefinitionSaysItself
            | Self::PortOfKnownService(_)
            | Self::PortNotMapped { .. }
            | Self::PortZero
            | Self::NoContainer
            | Self::HealthPath { .. }
            | Self::TcpCheckWithPath
            | Self::TcpCheckWithAnswer
            | Self::OutOfRange { .. } => ProblemCode::InvalidParameter,
        }
    }
}

fn code_of(error: &CommitError) -> ProblemCode {
    match error {
        CommitError::Refused(refusal) => match refusal {
            Refusal::NotFound { kind, name: _ } => {
                ResourceKind::of_words(kind).map_or(ProblemCode::NotFound, missing)
            }
            Refusal::Exists { .. } | Refusal::ServiceExists { .. } => ProblemCode::AlreadyExists,
            Refusal::WrongStatus { .. } => ProblemCode::WrongStatus,
            Refusal::InUse { .. } => ProblemCode::InUse,
            Refusal::NotNext { .. } | Refusal::NotNextServiceRevision { .. } => {
                ProblemCode::Conflict
            }
            Refusal::RuleConflict { .. } => ProblemCode::RuleConflict,
            Refusal::JoinTokenOver(_) => ProblemCode::JoinTokenOver,
            Refusal::NoRoom { .. } => ProblemCode::NoRoom,
            Refusal::Definition { .. } => ProblemCode::InvalidTaskDefinition,
            Refusal::Invalid(_) => ProblemCode::InvalidParameter,
        },
        CommitError::Unmet(Unmet::CredentialEnded(_)) => ProblemCode::Unauthenticated,
        CommitError::Unmet(Unmet::Denied { .. }) => ProblemCode::AccessDenied,
        CommitError::Unmet(Unmet::Modified { .. }) => ProblemCode::PreconditionFailed,
        CommitError::GuardFailed { key } => match PinnedImage::of_row_key(key) {
            Some(_) => ProblemCode::ImageNotFound,
            None => ProblemCode::Conflict,
        },
        CommitError::TooLarge(_) => ProblemCode::InvalidParameter,
        CommitError::Unavailable(_) => ProblemCode::Unavailable,
    }
}

/// The code of what is not there, as ECS would say it.
fn missing(kind: ResourceKind) -> ProblemCode {
    match kind {
        ResourceKind::Cluster => ProblemCode::ClusterNotFound,
        ResourceKind::Instance => ProblemCode::InstanceNotFound,
        ResourceKind::Router => ProblemCode::RouterNotFound,
        ResourceKind::TaskDefinition => ProblemCode::TaskDefinitionNotFound,
        ResourceKind::Service => ProblemCode::ServiceNotFound,
        ResourceKind::Task => ProblemCode::TaskNotFound,
        ResourceKind::Listener => ProblemCode::ListenerNotFound,
        ResourceKind::TargetGroup => ProblemCode::TargetGroupNotFound,
        ResourceKind::Rule => ProblemCode::RuleNotFound,
        ResourceKind::Repository => ProblemCode::RepositoryNotFound,
        ResourceKind::Token => ProblemCode::TokenNotFound,
        ResourceKind::Installation | ResourceKind::User => ProblemCode::NotFound,
    }
}

impl From<DeployError> for Refused {
    fn from(error: DeployError) -> Self {
        Self::Deploy(error)
    }
}

impl From<DocumentError> for Refused {
    fn from(error: DocumentError) -> Self {
        Self::Document(error)
    }
}

impl From<Unmet> for Refused {
    fn from(unmet: Unmet) -> Self {
        Self::Unmet(unmet)
    }
}

impl From<CommitError> for Refused {
    fn from(error: CommitError) -> Self {
        match error {
            CommitError::Unmet(unmet) => Self::Unmet(unmet),
            CommitError::Refused(_)
            | CommitError::GuardFailed { .. }
            | CommitError::TooLarge(_)
            | CommitError::Unavailable(_) => Self::Commit(error),
        }
    }
}

impl std::error::Error for Refused {}
