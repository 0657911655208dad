//! Rows of an installation's database, read and changed from outside, in the part of SQL that both databases have.
//!
//! Why changes: what the service does at a time is due when its database says so. The harness moves such a time to now
//! instead of waiting for it.

use crate::command;
use crate::failure::{Context, Result};
use crate::installation::Installation;
use crate::postgres;
use serde_json::Value;
use std::process::Command;

/// Prints the rows of a statement as objects.
const SCRIPT: &str = r#"
import json, pathlib, sqlite3, sys
path = pathlib.Path(sys.argv[1]) / "muster.db"
base = sqlite3.connect("file:%s?mode=rw" % path, uri=True, timeout=60)
found = base.execute(sys.argv[2])
names = [column[0] for column in found.description]
rows = [dict(zip(names, row)) for row in found]
base.commit()
base.close()
print(json.dumps(rows))
"#;

/// The rows that a statement returns: a `SELECT`, or a change with `RETURNING`.
///
/// # Errors
/// When the database refuses it.
pub fn rows(installation: &Installation, statement: &str) -> Result<Vec<Value>> {
    let found = match installation.postgres() {
        Some((url, _)) => postgres::ask(
            url,
            &format!("WITH found AS ({statement}) SELECT coalesce(json_agg(found), '[]') FROM found"),
        )?,
        None => {
            let mut python = Command::new("python3");
            command::output(python.args(["-c", SCRIPT]).arg(&installation.data).arg(statement))?
        }
    };
    serde_json::from_str(&found).context(|| format!("the rows of {statement} cannot be read"))
}
