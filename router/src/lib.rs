//! Sends HTTP requests by host and path to the targets of target groups.

mod address;
mod matcher;
mod table;
