//! The whole way, on the real processes and real Docker; and the shape of the house.
//!
//! Every test has an installation of its own on free ports and temporary data, so that all may run at once.

mod docker_command;
mod docker_deploy;
mod docker_down;
mod docker_errors;
mod docker_field;
mod docker_instances;
mod docker_kills;
mod docker_old_data;
mod docker_registry;
mod docker_routing;
mod docker_tasks;
mod faults;
mod harness;
mod old_data;
mod openapi;
mod readme;
mod tidy;
