//! Breaks the service from outside and checks what it promised.
//!
//! The harness starts the real binary, talks to it over HTTP as any client does, kills it, makes its system calls and its
//! database fail, and compares what happened with what was promised. docs/harness.md describes the parts and the rules.
//!
//! Why a crate of its own: it knows the service only as a process and over HTTP, so what it finds is what a user would
//! find. Because it names no crate of the service, it builds in seconds, and it cannot rely on what only the code knows.
//!
//! Invariants: it ends only processes that it started, by their own handles. It writes only below the target directory
//! and into its own temporary folders, except that it may install Debian packages when it runs as root.

pub mod api;
pub mod book;
mod bucket;
pub mod clients;
pub mod command;
pub mod console;
mod copies;
mod database;
pub mod failure;
pub mod faults;
mod history;
pub mod hostile;
mod inspection;
pub mod install;
pub mod installation;
mod issuer;
pub mod kill;
pub mod monitoring;
pub mod port;
mod postgres;
mod progress;
pub mod random;
mod receiver;
pub mod relay;
mod rules;
pub mod server;
pub mod tally;
mod telemetry;
pub mod twice;
mod waiting;
pub mod workspace;
