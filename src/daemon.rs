//! The daemon: takes jobs over a Unix socket and has a process of its own do each. To be described.

pub mod action;
pub mod api;
pub mod core;
pub mod http;
pub mod job;
