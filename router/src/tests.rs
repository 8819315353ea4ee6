//! Requests through a real router to real sockets on loopback.

mod broken;
mod change;
mod client;
mod generations;
mod linked;
mod origin;
mod pages;
mod plain;
mod retry;
mod tunnel;
mod within;
mod world;

use client::{Answer, Client, send};
use origin::{Act, Origin};
use within::within;
use world::{World, draining, forward, group, target, task};
