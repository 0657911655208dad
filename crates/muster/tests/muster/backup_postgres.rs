//! Backups of an installation whose database is in PostgreSQL: taken, checked, restored, and killed at each step.

use super::{command, fails, json, muster, path, people, succeeds};
use muster_testkit::postgres::{PASSWORD, PostgresServer};
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;
use std::sync::Arc;

/// An installation in a PostgreSQL database of its own, with two snapshots.
struct House {
    server: Arc<PostgresServer>,
    dir: tempfile::TempDir,
    url: String,
}

impl House {
    /// `None` where there is no PostgreSQL.
    fn new(database: &str) -> Option<Self> {
        let server = PostgresServer::shared()?;
        let dir = people();
        let url = fresh(&server, database);
        let house = Self { server, dir, url };
        succeeds(&house.call(&["source", "add", &path(&house.dir, "people.toml")]));
        succeeds(&house.call(&["refresh"]));
        std::fs::write(house.dir.path().join("people.csv"), "id,name\n1,Ada\n3,Cy\n4,Dee\n").unwrap();
        succeeds(&house.call(&["refresh"]));
        Some(house)
    }

    fn call(&self, arguments: &[&str]) -> Output {
        self.call_with(arguments, &[])
    }

    fn call_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        let data = self.dir.path().join("node");
        let mut call = command(&data, arguments);
        call.env("MUSTER__STORE__URL", &self.url).env("MUSTER__DATA__SHARED", self.shared());
        call.envs(variables.iter().copied()).output().unwrap()
    }

    fn shared(&self) -> PathBuf {
        self.dir.path().join("shared")
    }

    fn backups(&self) -> String {
        path(&self.dir, "backups")
    }

    fn verdict(&self, arguments: &[&str]) -> Value {
        let backups = self.backups();
        let arguments = [&["backup", "verify", &backups, "--output", "json"], arguments].concat();
        // The check needs no installation.
        let output = muster(&self.dir.path().join("none"), &arguments);
        assert!(!String::from_utf8_lossy(&output.stderr).contains(PASSWORD));
        serde_json::from_slice(&output.stdout).unwrap()
    }

    fn names(&self) -> Vec<String> {
        let listed = self.call(&["backup", "list", &self.backups(), "--output", "json"]);
        if !listed.status.success() {
            return Vec::new();
        }
        let listed: Value = serde_json::from_slice(&listed.stdout).unwrap();
        listed.as_array().unwrap().iter().map(|backup| backup["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Programs that stand before PostgreSQL's own on the path.
    fn before_own_programs(&self, name: &str, script: &str) -> String {
        let folder = self.dir.path().join(format!("programs-{name}"));
        std::fs::create_dir_all(&folder).unwrap();
        let program = folder.join(name);
        std::fs::write(&program, script).unwrap();
        std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
        format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
    }
}

/// The URL of a new, empty database.
fn fresh(server: &PostgresServer, database: &str) -> String {
    server.sql(&format!("CREATE DATABASE {database}"));
    server.url().replace("/postgres", &format!("/{database}"))
}

fn databases(server: &PostgresServer) -> String {
    server.sql("SELECT datname FROM pg_database ORDER BY datname")
}

fn texts(verdict: &Value, outcome: &str) -> Vec<String> {
    let findings = verdict["findings"].as_array().unwrap().iter();
    let of = findings.filter(|finding| finding["outcome"] == json!(outcome));
    of.map(|finding| finding["text"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_backup_with_postgresql_is_taken_checked_and_restored() {
    let Some(house) = House::new("backed_up") else { return };
    let backups = house.backups();
    let taken = json(&house.call(&["backup", "take", &backups, "--keys", "--output", "json"]));
    assert_eq!(taken["files"], taken["copiedFiles"]);

    // Without a server, nobody can say what is in the database.
    let checked = house.verdict(&[]);
    assert_eq!(checked["verdict"], json!("inconclusive"), "{checked}");
    assert!(texts(&checked, "ok").iter().any(|text| text.contains("pg_restore reads the dump")), "{checked}");
    let server = house.server.url();
    let before = databases(&house.server);
    let checked = house.verdict(&["--server", &server]);
    assert_eq!(checked["verdict"], json!("ok"), "{checked}");
    let found = texts(&checked, "ok").join("\n");
    assert!(found.contains("PostgreSQL takes it") && found.contains("the audit trail: "), "{found}");
    assert!(found.contains("files that the database names: "), "{found}");
    assert_eq!(databases(&house.server), before, "the database of the check is removed");

    let events = json(&house.call(&["audit", "list", "--output", "json"]));
    let events = events.as_array().unwrap().clone();
    assert_eq!(events.last().unwrap()["operation"], json!("backup_taken"));
    let snapshots = json(&house.call(&["snapshot", "list", "--output", "json"]));

    // To another database and other folders.
    let url = fresh(&house.server, "restored");
    let (node, shared) = (house.dir.path().join("restored"), house.dir.path().join("restored-shared"));
    let call = |url: &str, arguments: &[&str]| {
        let mut call = command(&node, arguments);
        call.env("MUSTER__STORE__URL", url).env("MUSTER__DATA__SHARED", &shared).output().unwrap()
    };
    let refused = fails(&muster(&node, &["restore", &backups]), 2);
    assert!(refused.contains("expected store.url with the URL of an empty one"), "{refused}");
    let refused = fails(&call(&house.url, &["restore", &backups]), 1);
    assert!(refused.contains("expected an empty database"), "{refused}");
    assert!(!node.exists(), "nothing was made");
    let told = succeeds(&call(&url, &["restore", &backups]));
    assert!(told.contains("restored "), "{told}");
    succeeds(&call(&url, &["audit", "verify"]));
    assert_eq!(json(&call(&url, &["check", "--output", "json"]))["damaged"], json!([]));
    assert_eq!(json(&call(&url, &["snapshot", "list", "--output", "json"])), snapshots);
    let after = json(&call(&url, &["audit", "list", "--output", "json"]));
    let after = after.as_array().unwrap();
    assert_eq!(after[..after.len() - 1], events[..]);
    assert_eq!(after.last().unwrap()["operation"], json!("restored"));
    // It goes on: its tables are read and written.
    succeeds(&call(&url, &["refresh"]));
    assert!(shared.join("keys/audit.key").exists() && !node.join("keys").exists());
    assert!(!node.join("restoring").exists() && !node.join("muster.pgdump.restoring").exists());
}

/// Tables in a schema of their own, which the URL names.
#[test]
fn a_schema_of_its_own_is_backed_up_and_nothing_beside_it() {
    let Some(server) = PostgresServer::shared() else { return };
    let dir = people();
    let url = server.fresh_url();
    server.sql("CREATE TABLE IF NOT EXISTS public.of_somebody_else (secret text)");
    let house = House { server: server.clone(), dir, url };
    succeeds(&house.call(&["source", "add", &path(&house.dir, "people.toml")]));
    succeeds(&house.call(&["refresh"]));
    succeeds(&house.call(&["backup", "take", &house.backups(), "--keys"]));
    let checked = house.verdict(&["--server", &server.url()]);
    assert_eq!(checked["verdict"], json!("ok"), "{checked}");
    let other = fresh(&server, "of_another_schema");
    let restored = command(&house.dir.path().join("restored"), &["restore", &house.backups()])
        .env("MUSTER__STORE__URL", other)
        .output()
        .unwrap();
    let refused = fails(&restored, 1);
    let schema = PostgresServer::schema_of(&house.url);
    assert!(refused.contains(&format!("the tables of the backup are in the schema {schema:?}")), "{refused}");
}

/// The password is in a file, and no program shows it.
#[test]
fn the_password_comes_from_a_file() {
    let Some(house) = House::new("password_in_a_file") else { return };
    let file = house.dir.path().join("password");
    std::fs::write(&file, format!("{PASSWORD}\n")).unwrap();
    std::fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    let bare = house.url.replace(&format!(":{PASSWORD}@"), "@");
    assert_ne!(bare, house.url);
    let file = file.to_str().unwrap();
    // What each call of the program is told.
    let told = house.dir.path().join("told");
    let script =
        format!("#!/bin/sh\necho \"$@\" >> {}\nPATH=${{PATH#*:}} exec pg_dump \"$@\"\n", told.display());
    let programs = house.before_own_programs("pg_dump", &script);
    let variables =
        [("MUSTER__STORE__URL", bare.as_str()), ("MUSTER__STORE__PASSWORD_FILE", file), ("PATH", &programs)];
    succeeds(&house.call_with(&["backup", "take", &house.backups(), "--keys"], &variables));
    let told = std::fs::read_to_string(told).unwrap();
    assert!(told.contains("--format=custom") && !told.contains(PASSWORD), "{told}");
    assert_eq!(house.verdict(&["--server", &house.server.url()])["verdict"], json!("ok"));

    let without = house.call_with(&["audit", "verify"], &[("MUSTER__STORE__URL", &bare)]);
    assert_eq!(without.status.code(), Some(1), "the server wants the password");
    let both = house.call_with(&["audit", "verify"], &[("MUSTER__STORE__PASSWORD_FILE", file)]);
    let refused = fails(&both, 2);
    assert!(refused.contains("store.url has a password too") && !refused.contains(PASSWORD), "{refused}");
}

/// Whatever ends a backup early, it leaves none.
#[test]
fn a_backup_that_does_not_end_is_none() {
    let Some(house) = House::new("killed") else { return };
    let backups = house.backups();
    let own = "PATH=${PATH#*:}";
    let steps = [
        ("the program fails at once", "#!/bin/sh\necho 'no such snapshot' >&2\nexit 1\n".to_owned()),
        (
            "the program is killed when half is written",
            format!(
                "#!/bin/sh\n{own} pg_dump \"$@\" || exit\nfor told; do case $told in --file=*) f=${{told#--file=}};; esac; done\n\
                 truncate -s 500 \"$f\"\nkill -9 $$\n"
            ),
        ),
        ("the command is killed before the dump", "#!/bin/sh\nkill -9 $PPID\n".to_owned()),
        (
            "the command is killed when the dump is whole",
            format!("#!/bin/sh\n{own} pg_dump \"$@\"\nkill -9 $PPID\n"),
        ),
        (
            "the database ends the connection",
            format!(
                "#!/bin/sh\n{own} PGPASSWORD={PASSWORD} psql --quiet --dbname \"{}\" --command \
                 \"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'killed' AND pid <> pg_backend_pid()\" \
                 > /dev/null\n{own} exec pg_dump \"$@\"\n",
                house.url
            ),
        ),
    ];
    for (step, script) in &steps {
        let programs = house.before_own_programs("pg_dump", script);
        let taken = house.call_with(&["backup", "take", &backups, "--keys"], &[("PATH", &programs)]);
        assert!(!taken.status.success(), "{step}");
        assert_eq!(house.names(), Vec::<String>::new(), "{step}");
    }
    succeeds(&house.call(&["backup", "take", &backups, "--keys"]));
    assert_eq!(house.names().len(), 1);
    assert_eq!(house.verdict(&["--server", &house.server.url()])["verdict"], json!("ok"));
    succeeds(&house.call(&["audit", "verify"]));
}

/// A backup of the database as it was when the lists were read: what is written while the dump is made is not in it.
#[test]
fn the_dump_is_of_the_moment_of_the_lists() {
    let Some(house) = House::new("moving") else { return };
    let events = |call: &dyn Fn(&[&str]) -> Output| {
        json(&call(&["audit", "list", "--output", "json"])).as_array().unwrap().len()
    };
    let before = events(&|arguments| house.call(arguments));
    // Another snapshot and its event, after the command has looked and before the dump begins.
    let script = format!(
        "#!/bin/sh\nMUSTER__STORE__URL='{}' MUSTER__DATA__SHARED='{}' '{}' refresh --full --data '{}' > /dev/null || exit 1\n\
         PATH=${{PATH#*:}} exec pg_dump \"$@\"\n",
        house.url,
        house.shared().display(),
        env!("CARGO_BIN_EXE_muster"),
        house.dir.path().join("other-node").display()
    );
    let programs = house.before_own_programs("pg_dump", &script);
    succeeds(&house.call_with(&["backup", "take", &house.backups(), "--keys"], &[("PATH", &programs)]));
    let after = events(&|arguments| house.call(arguments));
    assert!(after > before + 1, "the other node wrote");
    assert_eq!(house.verdict(&["--server", &house.server.url()])["verdict"], json!("ok"));
    let listed = json(&house.call(&["backup", "list", &house.backups(), "--output", "json"]));
    let head = listed[0]["auditHead"].as_str().unwrap().split_once(':').unwrap().0.to_owned();
    assert_eq!(head, (before + 1).to_string(), "the backup's own event is the last");
}

/// A restore that is killed before its database is there is no installation.
#[test]
fn a_restore_that_does_not_end_is_refused() {
    let Some(house) = House::new("half_restored_from") else { return };
    succeeds(&house.call(&["backup", "take", &house.backups(), "--keys"]));
    let url = fresh(&house.server, "half_restored");
    let node = house.dir.path().join("half");
    let call = |arguments: &[&str], path: &str| {
        command(&node, arguments).env("MUSTER__STORE__URL", &url).env("PATH", path).output().unwrap()
    };
    let own = std::env::var("PATH").unwrap();
    for script in ["#!/bin/sh\nkill -9 $PPID\n", "#!/bin/sh\nexit 1\n"] {
        let programs = house.before_own_programs("pg_restore", script);
        assert!(!call(&["restore", &house.backups()], &programs).status.success());
        for arguments in [&["audit", "verify"][..], &["serve", "--init"], &["keys", "list"]] {
            let refused = fails(&call(arguments, &own), 1);
            assert!(refused.contains("has not ended"), "{refused}");
        }
        std::fs::remove_dir_all(&node).unwrap();
    }
    succeeds(&call(&["restore", &house.backups()], &own));
    succeeds(&call(&["audit", "verify"], &own));
}

#[test]
fn a_damaged_dump_fails_its_check_and_its_restore() {
    let Some(house) = House::new("damaged_from") else { return };
    succeeds(&house.call(&["backup", "take", &house.backups(), "--keys"]));
    let name = house.names().remove(0);
    let list = std::fs::read(Path::new(&house.backups()).join(format!("backups/{name}.json"))).unwrap();
    let list: Value = serde_json::from_slice(&list).unwrap();
    let dump =
        list["files"].as_array().unwrap().iter().find(|file| file["path"] == json!("muster.pgdump")).unwrap();
    let sha256 = dump["sha256"].as_str().unwrap();
    let object = Path::new(&house.backups()).join("objects").join(&sha256[..2]).join(sha256);
    let mut content = std::fs::read(&object).unwrap();
    let middle = content.len() / 2;
    content[middle] ^= 1;
    std::fs::write(&object, content).unwrap();
    assert_eq!(house.verdict(&["--server", &house.server.url()])["verdict"], json!("failed"));
    let url = fresh(&house.server, "damaged");
    let node = house.dir.path().join("target");
    let restored =
        command(&node, &["restore", &house.backups()]).env("MUSTER__STORE__URL", &url).output().unwrap();
    assert!(fails(&restored, 1).contains("the backup is damaged"));
    let kept = house.server.sql("SELECT 1").trim().to_owned();
    assert_eq!(kept, "1");
    assert!(
        fails(&command(&node, &["audit", "verify"]).env("MUSTER__STORE__URL", &url).output().unwrap(), 1)
            .contains("has not ended")
    );
}
