//! The organisation that is measured: made once for each number of people, and kept below the target folder.
//!
//! The files come from the binary's own generator (`muster demo`, seed 1): five accounts for each person, in sources whose
//! sizes fall as one over their rank. It gives about eight access items for each person; more groups in the directory's file
//! make them ten.

use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::installation::{Installation, muster};
use muster_harness::random::Random;
use muster_harness::workspace::Workspace;
use serde_json::{Value, json};
use std::fs::File;
use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// Access items for each person.
const ACCESS_ITEMS: u64 = 10;
/// Groups among which the further memberships are spread.
const GROUPS: u64 = 5_000;
/// Seed of everything that is drawn here.
const SEED: u64 = 1;
/// How a line of the directory's file ends that has groups.
const LAST_GROUP: &[u8] = b"OU=Groups,DC=example,DC=com\"\r\n";
/// The file that says which binary wrote the tables.
const WRITER: &str = "binary.json";
/// What a row keeps of a source's file before it changes the file.
const UNCHANGED: &str = "unchanged";

/// An organisation in a data directory.
pub struct Data {
    /// The data directory with credentials.
    pub installation: Installation,
    /// The folder with the sources' definitions and files.
    pub sources: PathBuf,
    /// What it has: `rows` of each table, `access_items`.
    pub facts: Value,
}

/// The settings of all measured commands: only the last snapshot is kept, so that runs do not fill the disk, and the
/// benchmark does not rest.
pub fn settings() -> Vec<(String, String)> {
    let settings = [
        ("MUSTER__SNAPSHOTS__KEEP_LAST", "1"),
        ("MUSTER__DATA__TRASH_DAYS", "0"),
        ("MUSTER__RATE_LIMIT__REQUESTS", "100000000"),
        ("MUSTER__RATE_LIMIT__TENANT_REQUESTS", "100000000"),
        ("MUSTER__RATE_LIMIT__TOKEN_REQUESTS", "100000000"),
    ];
    settings.map(|(name, value)| (name.to_owned(), value.to_owned())).into()
}

impl Data {
    /// The organisation of so many people, made now if it is not kept. `count` counts the rows of a data directory.
    pub fn kept(
        workspace: &Workspace,
        binary: &Path,
        identities: u64,
        count: &dyn Fn(&Path) -> Result<Value>,
    ) -> Result<Self> {
        let name = format!("bench-{identities}-{ACCESS_ITEMS}-{SEED}");
        let folder = workspace.cache()?.join(&name);
        let mark = folder.join("facts.json");
        let data = folder.join("data");
        if !mark.is_file() {
            println!("making an organisation of {identities} people in {}", folder.display());
            let folder = workspace.fresh_folder(&name)?;
            let installation = Installation::with_organisation(binary, &data, identities, settings())?;
            let had = count(&data)?["access_items"].as_u64().unwrap_or(0);
            let wanted = (identities * ACCESS_ITEMS).saturating_sub(had);
            add_groups(&data.join("sources/active-directory.csv"), wanted)?;
            refresh(&installation, &[])?;
            let facts = count(&data)?;
            write_json(&folder.join("house.json"), &json_of(&installation))?;
            write_json(&folder.join(WRITER), &identity_of(binary)?)?;
            write_json(&mark, &facts)?;
        }
        let installation = installation_of(binary, &data, &read_json(&folder.join("house.json"))?)?;
        let this = Self { installation, sources: data.join("sources"), facts: read_json(&mark)? };
        this.put_back()?;
        this.write_again(&folder.join(WRITER))?;
        Ok(this)
    }

    /// Writes the tables again unless this binary wrote them: others may arrange them in other ways.
    fn write_again(&self, mark: &Path) -> Result<()> {
        let this = identity_of(&self.installation.binary)?;
        if mark.is_file() && read_json(mark)? == this {
            return Ok(());
        }
        println!("  another binary than before: a full refresh");
        refresh(&self.installation, &["--full"])?;
        write_json(mark, &this)
    }

    /// A source's file, of which a copy is kept until [`Data::put_back`].
    pub fn file_to_change(&self, name: &str) -> Result<PathBuf> {
        let file = self.sources.join(name);
        let copy = self.copy_of(name);
        if !copy.exists() {
            std::fs::copy(&file, &copy).context(|| format!("{} cannot be copied", file.display()))?;
        }
        Ok(file)
    }

    /// Puts changed files back, and refreshes if there was one: also after a run that was broken off.
    pub fn put_back(&self) -> Result<()> {
        let mut changed = false;
        let entries = std::fs::read_dir(&self.sources).context(|| self.sources.display().to_string())?;
        for entry in entries {
            let copy = entry.context(|| self.sources.display().to_string())?.path();
            if copy.extension().is_some_and(|extension| extension == UNCHANGED) {
                let file = copy.with_extension("");
                std::fs::rename(&copy, &file).context(|| format!("{} cannot be put back", file.display()))?;
                changed = true;
            }
        }
        if changed { refresh(&self.installation, &[]) } else { Ok(()) }
    }

    fn copy_of(&self, name: &str) -> PathBuf {
        self.sources.join(format!("{name}.{UNCHANGED}"))
    }
}

/// Size and time of a binary, which tell it from others.
fn identity_of(binary: &Path) -> Result<Value> {
    let metadata = std::fs::metadata(binary).context(|| binary.display().to_string())?;
    let built = metadata.modified().ok().and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    Ok(json!({"bytes": metadata.len(), "built_s": built.map(|at| at.as_secs())}))
}

fn refresh(installation: &Installation, flags: &[&str]) -> Result<()> {
    let mut refresh = muster(&installation.binary, &installation.data);
    refresh.envs(installation.settings.iter().cloned()).arg("refresh").args(flags);
    command::output(&mut refresh).map(|_| ())
}

/// Adds memberships to the accounts of the directory's file: `wanted` together, as many to each as to the others.
fn add_groups(file: &Path, wanted: u64) -> Result<()> {
    let name = file.display();
    let open = || File::open(file).map(|open| BufReader::with_capacity(1 << 20, open));
    let cannot = || format!("{name} cannot be rewritten");
    let mut accounts = 0;
    each_line(open().context(cannot)?, |line| {
        accounts += u64::from(line.ends_with(LAST_GROUP));
        Ok(())
    })
    .context(cannot)?;
    if accounts == 0 {
        return Err(Failure::new(format!("{name} has no account with groups")));
    }
    let longer = file.with_extension("longer");
    let mut out = BufWriter::with_capacity(1 << 20, File::create(&longer).context(cannot)?);
    let mut random = Random::new(SEED);
    let mut done = 0;
    each_line(open().context(cannot)?, |line| {
        if !line.ends_with(LAST_GROUP) {
            return out.write_all(line);
        }
        let more = wanted * (done + 1) / accounts - wanted * done / accounts;
        done += 1;
        // The closing quote and the end of the line are written again.
        out.write_all(&line[..line.len() - 3])?;
        let first = random.below(GROUPS);
        for number in 0..more {
            write!(out, ";CN=team-{},OU=Groups,DC=example,DC=com", (first + number) % GROUPS)?;
        }
        out.write_all(b"\"\r\n")
    })
    .context(cannot)?;
    out.flush().context(cannot)?;
    std::fs::rename(&longer, file).context(cannot)
}

fn each_line(
    mut from: impl BufRead,
    mut take: impl FnMut(&[u8]) -> std::io::Result<()>,
) -> std::io::Result<()> {
    let mut line = Vec::new();
    while from.read_until(b'\n', &mut line)? > 0 {
        take(&line)?;
        line.clear();
    }
    Ok(())
}

fn json_of(installation: &Installation) -> Value {
    let client =
        |client: &muster_harness::api::Credentials| json!({"id": client.id, "secret": client.secret});
    json!({
        "user": client(&installation.user),
        "application": client(&installation.application),
        "stranger": client(&installation.stranger),
        "authoritative_source": installation.authoritative_source,
    })
}

fn installation_of(binary: &Path, data: &Path, kept: &Value) -> Result<Installation> {
    let text = |value: &Value| {
        let text = value.as_str().map(str::to_owned);
        text.ok_or_else(|| Failure::new("the kept organisation lacks a credential: remove its folder"))
    };
    let client = |name: &str| -> Result<muster_harness::api::Credentials> {
        Ok(muster_harness::api::Credentials {
            id: text(&kept[name]["id"])?,
            secret: text(&kept[name]["secret"])?,
        })
    };
    Ok(Installation {
        binary: binary.into(),
        data: data.into(),
        log: data.with_extension("serve.log"),
        settings: settings(),
        user: client("user")?,
        application: client("application")?,
        stranger: client("stranger")?,
        authoritative_source: text(&kept["authoritative_source"])?,
    })
}

/// Reads a file of JSON.
pub fn read_json(file: &Path) -> Result<Value> {
    let text = std::fs::read(file).context(|| format!("{} cannot be read", file.display()))?;
    serde_json::from_slice(&text).context(|| format!("{} is not JSON", file.display()))
}

/// Writes a file of JSON.
pub fn write_json(file: &Path, value: &Value) -> Result<()> {
    std::fs::write(file, value.to_string()).context(|| format!("{} cannot be written", file.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten memberships over three accounts; the line without groups stays.
    #[test]
    fn groups_are_added_to_accounts_that_have_some() {
        let file = std::env::temp_dir().join(format!("muster-bench-groups-{}.csv", std::process::id()));
        let line = "\"CN=a\",\"CN=all-users,OU=Groups,DC=example,DC=com\"\r\n";
        std::fs::write(&file, format!("dn,memberOf\r\n{line}x,\r\n{line}{line}")).expect("it can be written");
        add_groups(&file, 10).expect("it can be rewritten");
        let text = std::fs::read_to_string(&file).expect("it is there");
        std::fs::remove_file(&file).expect("it is there");
        let added: Vec<_> = text.lines().map(|line| line.matches(";CN=team-").count()).collect();
        assert_eq!(added, [0, 3, 0, 3, 4]);
        assert!(text.lines().skip(1).all(|line| line == "x," || line.ends_with("DC=com\"")), "{text}");
    }
}
