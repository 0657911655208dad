//! `muster backup` and `muster restore`.

use clap::{Args, Subcommand};
use std::path::PathBuf;

/// `backup`
#[derive(Debug, Subcommand)]
pub enum BackupCommand {
    /// Copy the database and all files that it names to a folder or a bucket; the service may run meanwhile
    #[command(after_help = "\
Examples:
  muster backup take /backups/muster
  muster backup take /backups/muster --keys
  muster backup take s3://backups/muster    # AWS_REGION, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_ENDPOINT_URL

Files that an earlier backup in the folder has are not copied again. The backup exists once the command
has ended: a command that is interrupted leaves none. Without --keys, keep a copy of the folder keys/ in
another place: without keys, client secrets and the seal of the audit trail are lost.")]
    Take {
        /// The folder of backups, which is made if it is missing, or s3://BUCKET/FOLDER
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
        /// Copy the keys and muster.toml too: whoever reads the backup can then act as the service
        #[arg(long)]
        keys: bool,
    },
    /// List backups, the oldest first
    #[command(after_help = "Example:\n  muster backup list /backups/muster")]
    List {
        /// The folder of backups, or s3://BUCKET/FOLDER
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
    /// Hash every file of a backup, open its database, and check its audit trail; the status is 1 if something fails
    #[command(after_help = "\
Examples:
  muster backup verify /backups/muster
  muster backup verify /backups/muster --backup 20261130 --keys /safe/keys
  muster backup verify /backups/muster --server postgres://checker@localhost/postgres

Each line says what is ok, what failed, or what is inconclusive because a key or a digest is missing.")]
    Verify(VerifyBackupArgs),
}

/// `backup verify`
#[derive(Debug, Args)]
pub struct VerifyBackupArgs {
    /// The folder of backups, or s3://BUCKET/FOLDER
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The backup whose name begins so [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// The folder of the service's keys, if the backup has none: the seal of the audit trail is checked with them
    #[arg(long, value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
    /// A head of the audit trail that was noted earlier; may be repeated
    #[arg(long, value_name = "NUMBER:HASH")]
    pub noted: Vec<String>,
    /// For a backup with a PostgreSQL database: the URL of a server on which a database is made for the check, and removed.
    /// Its user must be allowed to make databases. Without a password in it, PGPASSWORD or ~/.pgpass has it
    #[arg(long, value_name = "URL")]
    pub server: Option<String>,
}

/// `restore`
#[derive(Debug, Args)]
pub struct RestoreArgs {
    /// The folder of backups, or s3://BUCKET/FOLDER
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
    /// The backup whose name begins so [default: the newest]
    #[arg(long, value_name = "NAME")]
    pub backup: Option<String>,
    /// The folder of the service's keys, if the backup has none
    #[arg(long, value_name = "FOLDER")]
    pub keys: Option<PathBuf>,
    /// The head of the audit trail that was noted last: the command says how many events are lost
    #[arg(long, value_name = "NUMBER:HASH")]
    pub noted: Option<String>,
}
