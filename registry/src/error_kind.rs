//! What is wrong with a request or with the server: a closed list, each kind with its status, the distribution spec's code
//! and its sentence. These are all the sentences of the registry. They name cause and next step, no code decides on one, and
//! none holds a secret.

use http::StatusCode;
use model::limits::PUSH_TAGS;
use model::{ClusterName, Digest, NameError, ServiceName};
use oci_spec::distribution::ErrorCode;
use serde::Serialize;

use crate::manifest::document::DocumentError;

/// The code of an error: one of the distribution spec, or one for what is the server's own fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub(crate) enum AnyCode {
    Spec(ErrorCode),
    Server(ServerErrorCode),
}

/// Codes beside the spec's, as other registries answer them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ServerErrorCode {
    /// A fault of the server that trying again need not mend.
    Unknown,
    /// A fault of the server that passes, or that its operator mends.
    Unavailable,
}

/// What is wrong.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ErrorKind {
    #[error(
        "there is nothing at this path; see the OCI distribution spec for what a registry serves"
    )]
    NotFound,
    /// The path takes these methods only.
    #[error("this takes {0} only")]
    MethodNotAllowed(&'static str),
    #[error("the repository holds no blob `{0}`")]
    BlobUnknown(Digest),
    #[error("the repository holds no manifest `{0}`")]
    ManifestUnknown(String),
    /// The repository does not exist, or the caller may not know of it.
    #[error("repository `{0}` is not known here; push to it first")]
    NameUnknown(String),
    #[error("there is no such upload: it has ended, was cancelled or expired; start a new one")]
    UploadUnknown,
    #[error("{0}")]
    InvalidName(NameError),
    #[error("{0}")]
    InvalidTag(NameError),
    #[error("{0}")]
    InvalidDigest(String),
    #[error("blobs are named by `sha256` or `sha512`")]
    UnknownAlgorithm,
    /// `n` of a page is not a number.
    #[error("`n={0}` is not a number of entries: use digits only")]
    InvalidPage(String),
    #[error("{0}")]
    InvalidManifest(DocumentError),
    #[error("a manifest may have 4 MiB at most")]
    ManifestTooLarge,
    #[error("one push sets {PUSH_TAGS} tags at most")]
    TooManyTags,
    #[error("the manifest has the digest `{computed}`, not `{wanted}`")]
    ManifestDigest { computed: Digest, wanted: Digest },
    /// A descriptor says another size than its content has.
    #[error("`{digest}` has {size} bytes, and the manifest says {said}")]
    DescriptorSize { digest: Digest, size: u64, said: u64 },
    /// The manifest names content that the repository does not hold.
    #[error("the manifest names `{0}`, which the repository does not hold; push it first")]
    ChildUnknown(Digest),
    /// Content that was removed while the manifest was pushed.
    #[error("`{0}` went away meanwhile; push it again")]
    ChildGone(String),
    #[error("manifest `{parent}` of the repository names it; delete that first")]
    ManifestInUse { parent: Digest },
    #[error(
        "service `{service}` of cluster `{cluster}` needs it: revision {revision} runs it, or can be rolled back to; remove the service, or roll out others until that one is not kept any more. Tags may go at any time"
    )]
    ManifestPinned { service: ServiceName, cluster: ClusterName, revision: u32 },
    #[error("manifest `{parent}` of the repository needs it; delete that first")]
    BlobInUse { parent: Digest },
    #[error("the blob has {size} bytes, and none of them are in the range")]
    RangeNotSatisfiable { size: u64 },
    #[error("a blob may have 64 GiB at most")]
    BlobTooLarge,
    #[error("the last request of an upload needs `?digest=`")]
    DigestMissing,
    #[error("the bytes have the digest `{computed}`, not `{wanted}`")]
    UploadDigest { computed: Digest, wanted: Digest },
    #[error(
        "too many uploads are open; finish or cancel some, or wait: while there are so many, those that lie idle end after a minute"
    )]
    TooManyUploads,
    #[error("{0}")]
    Chunk(ChunkError),
    #[error(
        "the body is not as long as `Content-Length` or `Content-Range` says, so nothing of it counts"
    )]
    WrongLength,
    #[error("`Content-Length` and `Content-Range` disagree")]
    LengthsDisagree,
    /// The body ended early; answered with the code of what it was for.
    #[error("the body ended early: {cause}")]
    BodyCut { code: ErrorCode, cause: String },
    /// The client sent nothing for too long.
    #[error("nothing came of the body for a minute; send it again")]
    BodyTimeout { code: ErrorCode },
    #[error("the form is larger than 64 KiB")]
    FormTooLarge,
    #[error("`grant_type` must be `password` or `refresh_token`")]
    GrantType,
    #[error("{0}")]
    Unauthorized(Unauthorized),
    /// Why not, as `access` or the store says it.
    #[error("{0}")]
    Denied(String),
    /// A right ended while the request was under way.
    #[error("{0}")]
    CredentialEnded(String),
    /// Another request changed the same thing meanwhile.
    #[error("{0}")]
    Conflict(String),
    #[error(
        "the registry's disk is full, or has less left than `registry.low_water` keeps free; make room, then push again"
    )]
    DiskFull,
    /// What failed on disk; the cause is logged.
    #[error("the registry failed: {0}; see the server's log")]
    Disk(&'static str),
    /// The store cannot read or write now.
    #[error("{0}")]
    StoreUnavailable(String),
    /// A batch does not fit the store.
    #[error("{0}")]
    BatchTooLarge(String),
}

/// Why a chunk is not taken. The answer says where the upload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChunkError {
    #[error("another request is writing to this upload")]
    Busy,
    #[error("`Content-Range` is not written as `FIRST-LAST`, both included")]
    Malformed,
    #[error("the chunk is not the next one")]
    OutOfOrder,
}

/// Why a caller is asked for credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unauthorized {
    #[error(
        "this needs a login: run `docker login` with user `admin` and the administrator's token"
    )]
    Missing,
    /// They are not valid.
    #[error("the credentials are not valid: mistyped, revoked or over; run `docker login` again")]
    Invalid,
    /// A user name and password are not valid.
    #[error(
        "the user name or token is not valid; the administrator's user name is `admin` and the token is in `admin.token` in the data directory"
    )]
    InvalidLogin,
    /// The token's scope does not cover the request.
    #[error("the token does not cover this; ask for one with the scope that the header names")]
    Scope,
}

impl ErrorKind {
    /// The HTTP status.
    pub(crate) fn status(&self) -> StatusCode {
        match self {
            Self::NotFound
            | Self::BlobUnknown(_)
            | Self::ManifestUnknown(_)
            | Self::NameUnknown(_)
            | Self::UploadUnknown => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_)
            | Self::ManifestInUse { .. }
            | Self::ManifestPinned { .. }
            | Self::BlobInUse { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::InvalidName(_)
            | Self::InvalidTag(_)
            | Self::InvalidDigest(_)
            | Self::UnknownAlgorithm
            | Self::InvalidPage(_)
            | Self::InvalidManifest(_)
            | Self::ManifestDigest { .. }
            | Self::DescriptorSize { .. }
            | Self::ChildUnknown(_)
            | Self::ChildGone(_)
            | Self::DigestMissing
            | Self::UploadDigest { .. }
            | Self::WrongLength
            | Self::LengthsDisagree
            | Self::BodyCut { .. }
            | Self::GrantType => StatusCode::BAD_REQUEST,
            Self::ManifestTooLarge | Self::BlobTooLarge | Self::FormTooLarge => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::TooManyTags => StatusCode::URI_TOO_LONG,
            Self::RangeNotSatisfiable { .. } | Self::Chunk(_) => StatusCode::RANGE_NOT_SATISFIABLE,
            Self::TooManyUploads => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyTimeout { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::Unauthorized(_) | Self::CredentialEnded(_) => StatusCode::UNAUTHORIZED,
            Self::Denied(_) => StatusCode::FORBIDDEN,
            Self::Conflict(_) => StatusCode::CONFLICT,
            Self::DiskFull => StatusCode::INSUFFICIENT_STORAGE,
            Self::StoreUnavailable(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Disk(_) | Self::BatchTooLarge(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// The code in the body.
    pub(crate) fn code(&self) -> AnyCode {
        AnyCode::Spec(match self {
            Self::BlobUnknown(_) => ErrorCode::BlobUnknown,
            Self::ManifestUnknown(_) => ErrorCode::ManifestUnknown,
            Self::NameUnknown(_) => ErrorCode::NameUnknown,
            Self::UploadUnknown => ErrorCode::BlobUploadUnknown,
            Self::InvalidName(_) => ErrorCode::NameInvalid,
            Self::InvalidDigest(_)
            | Self::UnknownAlgorithm
            | Self::ManifestDigest { .. }
            | Self::DigestMissing
            | Self::UploadDigest { .. } => ErrorCode::DigestInvalid,
            Self::InvalidTag(_)
            | Self::InvalidManifest(_)
            | Self::TooManyTags
            | Self::DescriptorSize { .. } => ErrorCode::ManifestInvalid,
            Self::ChildUnknown(_) | Self::ChildGone(_) => ErrorCode::ManifestBlobUnknown,
            Self::ManifestTooLarge
            | Self::RangeNotSatisfiable { .. }
            | Self::BlobTooLarge
            | Self::WrongLength
            | Self::LengthsDisagree => ErrorCode::SizeInvalid,
            Self::TooManyUploads => ErrorCode::TooManyRequests,
            Self::Chunk(_) => ErrorCode::BlobUploadInvalid,
            Self::BodyCut { code, .. } | Self::BodyTimeout { code } => code.clone(),
            Self::NotFound
            | Self::MethodNotAllowed(_)
            | Self::InvalidPage(_)
            | Self::ManifestPinned { .. }
            | Self::ManifestInUse { .. }
            | Self::BlobInUse { .. }
            | Self::FormTooLarge
            | Self::GrantType => ErrorCode::Unsupported,
            Self::Unauthorized(_) | Self::CredentialEnded(_) => ErrorCode::Unauthorized,
            Self::Denied(_) | Self::Conflict(_) => ErrorCode::Denied,
            Self::DiskFull | Self::StoreUnavailable(_) => {
                return AnyCode::Server(ServerErrorCode::Unavailable);
            }
            Self::Disk(_) | Self::BatchTooLarge(_) => {
                return AnyCode::Server(ServerErrorCode::Unknown);
            }
        })
    }
}
