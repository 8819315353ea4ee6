//! What each peer should see: the part of State that is its own, as plain data. The link sends these down; absence is
//! never an order.
//!
//! A view is keyed collections. Each is declared once, by [`collection`]'s `view!`: its name, key and value, which peers
//! see it, whether it may lie on their disk, and how its rows follow from State. Comparing, splitting, sending and keeping
//! views is then the same for all of them.

mod agent;
mod collection;
mod router;
mod text;

pub use agent::{AgentView, AssignedContainer, AssignedTask, InstanceView, Wanted};
pub use collection::{Collection, OnDisk, RowSink, View};
pub use router::{RouterView, TargetGroupView, TargetView};
pub use text::{from_text, to_text};
