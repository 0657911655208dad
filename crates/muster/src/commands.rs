//! The commands, one module for each noun of the command line.

pub mod audit;
pub mod backup;
pub mod check;
pub mod client;
pub mod config;
pub mod correlate;
pub mod definition;
pub mod doctor;
pub mod env;
pub mod evidence;
pub mod keys;
pub mod manual;
pub mod mcp;
pub mod notification;
pub mod refresh;
pub mod report;
pub mod review;
pub mod schedule;
pub mod search;
pub mod snapshot;
pub mod source;
pub mod status;
pub mod upgrade;
pub mod verify;
