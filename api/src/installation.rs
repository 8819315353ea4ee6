//! The installation as a whole: what `berth down` stops, and the answer of everything that is just done.

use model::InstanceId;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// What is to stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, IntoParams)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct StopQuery {
    /// This instance alone; all of them where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub instance: Option<InstanceId>,
}

/// What still has to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Remaining {
    /// Services that are being removed.
    pub services: u32,
    /// Tasks that may still have containers.
    pub tasks: u32,
}

impl Remaining {
    /// Whether nothing is left.
    pub fn is_nothing(self) -> bool {
        self.services == 0 && self.tasks == 0
    }
}

/// The answer where there is nothing to say but that it is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Done {}
