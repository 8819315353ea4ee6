//! How what goes over the wire as text looks in an `OpenAPI` document. Everything else derives its own schema.

use std::borrow::Cow;

use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};
use utoipa::{PartialSchema, ToSchema};

/// Text of a grammar of its own.
fn text(description: &str, pattern: &str) -> RefOr<Schema> {
    let schema = ObjectBuilder::new().schema_type(Type::String).description(Some(description));
    schema.pattern(Some(pattern)).build().into()
}

macro_rules! texts {
    ($($name:ident: $description:literal, $pattern:expr;)+) => {$(
        impl PartialSchema for crate::$name {
            fn schema() -> RefOr<Schema> {
                text($description, $pattern)
            }
        }

        impl ToSchema for crate::$name {
            fn name() -> Cow<'static, str> {
                Cow::Borrowed(stringify!($name))
            }
        }
    )+};
}

/// An id: 32 hexadecimal digits.
const ID: &str = "^[0-9a-f]{32}$";
/// Names as ECS allows them.
const ECS_NAME: &str = "^[A-Za-z0-9_-]{1,255}$";
/// A label of a host name (RFC 1123 section 2.1).
const DNS_LABEL: &str = "^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$";
/// The repository names of the OCI distribution specification.
const REPOSITORY: &str =
    "^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*$";

texts! {
    IdPrefix: "An id, or its first digits where only one begins with them.", "^[0-9a-f]{4,32}$";
    InstallationId: "An installation's id.", ID;
    ClusterId: "A cluster's id.", ID;
    InstanceId: "An instance's id.", ID;
    RouterId: "A router's id.", ID;
    ServiceId: "A service's id.", ID;
    ServiceRevisionId: "A service revision's id.", ID;
    DeploymentId: "A deployment's id.", ID;
    TaskId: "A task's id.", ID;
    TargetGroupId: "A target group's id.", ID;
    ListenerId: "A listener's id.", ID;
    RuleId: "A rule's id.", ID;
    CredentialId: "A token's id.", ID;
    ContainerId: "Docker's id of a container.", "^.+$";
    ClusterName: "A cluster's name.", ECS_NAME;
    Family: "A task definition's family.", ECS_NAME;
    ContainerName: "A container's name.", ECS_NAME;
    TargetGroupName: "A target group's name.", ECS_NAME;
    ServiceName: "A service's name, a label of its host name too.", DNS_LABEL;
    RepositoryName: "A repository's name.", REPOSITORY;
    TagName: "A tag.", "^[A-Za-z0-9_][A-Za-z0-9._-]{0,127}$";
    Revision: "A task definition, as `family:revision`.", "^[A-Za-z0-9_-]{1,255}:[1-9][0-9]{0,9}$";
    Digest: "A digest, as `sha256:` and 64 hexadecimal digits.", "^(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$";
    ImageReference: "An image, as `repository:tag` or `repository@digest`.", "^[^\\s]+$";
    Subnet: "An IPv4 subnet, as `10.90.3.0/24`.", "^[0-9]{1,3}(\\.[0-9]{1,3}){3}/[0-9]{1,2}$";
    Dimension: "A resource, as `CPU`, `MEMORY` or a name.", "^.+$";
    HttpMatcher: "Status codes, as `200`, `200-399` or `200,202`.", "^[0-9]{3}(-[0-9]{3})?(,[0-9]{3}(-[0-9]{3})?)*$";
}

impl PartialSchema for crate::Timestamp {
    fn schema() -> RefOr<Schema> {
        let schema = ObjectBuilder::new().schema_type(Type::String);
        let schema = schema.format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)));
        schema.description(Some("A point in time, UTC.")).build().into()
    }
}

impl ToSchema for crate::Timestamp {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Timestamp")
    }
}
