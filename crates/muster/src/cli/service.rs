//! Flags that say which service is called, and `muster env` and `muster login`, which keep services under names.

use clap::{Args, Subcommand};
use std::path::PathBuf;

const HEADING: &str = "Service";

/// Which service is called, and as whom. `crate::environments` says what decides.
#[derive(Debug, Clone, Default, Args)]
pub struct Service {
    /// A service that `muster env` or `muster login` keeps [default: what docs/command-line.md says]
    #[arg(long = "env", env = "MUSTER_ENV", value_name = "NAME", help_heading = HEADING)]
    pub environment: Option<String>,
    /// Base URL of the service [with a client, the default is http://127.0.0.1:8080]
    #[arg(long, env = "MUSTER_BASE_URL", value_name = "URL", help_heading = HEADING)]
    pub base_url: Option<String>,
    /// Client id
    #[arg(long, env = "MUSTER_CLIENT_ID", value_name = "ID", help_heading = HEADING)]
    pub client_id: Option<String>,
    /// Client secret
    #[arg(
        long,
        env = "MUSTER_CLIENT_SECRET",
        value_name = "SECRET",
        hide_env_values = true,
        help_heading = HEADING
    )]
    pub client_secret: Option<String>,
    /// A PEM file with the certificates to trust, in place of the system's
    #[arg(long, env = "MUSTER_CA_FILE", value_name = "FILE", help_heading = HEADING)]
    pub ca_file: Option<PathBuf>,
}

impl Service {
    /// Whether flags or variables name a service or a client.
    pub fn is_named(&self) -> bool {
        self.environment.is_some() || self.base_url.is_some() || self.client_id.is_some()
    }
}

/// `env`
#[derive(Debug, Subcommand)]
pub enum EnvCommand {
    /// Keep a service and a client under a name
    #[command(after_help = "\
Examples:
  muster env add production --base-url https://reports.example.com --client-id 2f1c5b0c9a7d4a1e8b2f3c4d5e6f7a8b
  muster env add test --base-url http://127.0.0.1:8080 --client-id ID --secret-file /run/secrets/test

The secret is asked for, or read from --secret-file (`-` is standard input) or MUSTER_CLIENT_SECRET. It is kept in a
file that only you can read. The first service that is kept is the one in use. `muster login` also checks the client.")]
    Add(LoginArgs),
    /// Call this service from now on
    #[command(after_help = "Example:\n  muster env use production")]
    Use {
        /// Its name
        name: String,
    },
    /// List the services that are kept, without their secrets
    #[command(after_help = "Example:\n  muster env list")]
    List,
    /// Forget a service and its secret
    #[command(after_help = "Example:\n  muster env remove test")]
    Remove {
        /// Its name
        name: String,
    },
}

/// `env add` and `login`
#[derive(Debug, Clone, Args)]
pub struct LoginArgs {
    /// The name under which it is kept
    #[arg(default_value = "default")]
    pub name: String,
    /// Base URL of the service [default: the one that is kept under the name, else http://127.0.0.1:8080]
    #[arg(long, value_name = "URL")]
    pub base_url: Option<String>,
    /// Client id [default: the one that is kept under the name; otherwise it is asked for]
    #[arg(long, value_name = "ID")]
    pub client_id: Option<String>,
    /// A file with the client secret; `-` is standard input
    #[arg(long, value_name = "FILE")]
    pub secret_file: Option<PathBuf>,
    /// A command line that prints the client secret, such as one that asks a keyring: the command is kept, and not the secret
    #[arg(long, value_name = "COMMAND", conflicts_with = "secret_file")]
    pub secret_command: Option<String>,
    /// A PEM file with the certificates to trust, in place of the system's
    #[arg(long, value_name = "FILE")]
    pub ca_file: Option<PathBuf>,
}

/// `mcp`
#[derive(Debug, Clone, Args)]
#[command(after_help = "\
Examples:
  muster login production --base-url https://reports.example.com
  muster mcp --env production

An assistant starts it as a server of the kind `stdio`; docs/mcp.md shows how. Its tools list and run
reports, show first rows, explain queries and verify evidence. They do what the client may do, and no
more. Give it a client of its own, with the level and the data scope that it needs.")]
pub struct McpArgs {
    /// How the service is reached
    #[command(flatten)]
    pub service: Service,
}

/// `doctor`
#[derive(Debug, Clone, Args)]
pub struct DoctorArgs {
    /// End with status 3 if something should be looked at
    #[arg(long)]
    pub strict: bool,
}
