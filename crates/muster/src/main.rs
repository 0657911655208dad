//! `muster`: a self-hosted Reports Data Extraction service for identity data, in one binary.
//!
//! This crate joins the others: settings, wiring, roles, the worker loop and the commands. It has no
//! business rule of its own, and it alone reads the environment, the clock and randomness.

mod cli;
mod clock;
mod config;
mod failure;
mod ids;
mod output;
mod worker;

fn main() {}
