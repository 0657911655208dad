//! What the program is built from: every package that cargo resolves for it, as a bill of materials in CycloneDX's form, as
//! a list of licences with their texts, and as the list that is put into the program itself.
//!
//! Why not cargo-cyclonedx, cargo-about and cargo-auditable: each is built for minutes, all take what is here from the same
//! answer of cargo, and the last one would build the program and all that it has in it once more. `--try` compares the lists with `cargo tree`, which finds its packages in its own way.

use crate::setup;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::{Workspace, cargo};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The package whose parts are listed.
const PROGRAM: &str = "muster";
/// The section of a program with the list of packages.
pub const SECTION: &str = ".dep-v0";
/// Beginnings of the names of files with a licence or a notice, in lower case.
const TEXTS: [&str; 6] = ["license", "licence", "copying", "notice", "unlicense", "ofl"];
/// How deep below its folder a package's foreign parts have their licences, such as `aws-lc/LICENSE` and `src/zlib/LICENSE`.
const FOREIGN_DEPTH: usize = 3;

/// A package that is built in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Package {
    name: String,
    version: String,
    /// Its licences, as an SPDX expression; some older packages have `/` for a choice.
    licence: String,
    /// The SHA-256 of its archive, if it comes from a registry.
    sha256: Option<String>,
    /// Its folder on this machine.
    folder: PathBuf,
    /// Whether it has parts of others with licences of their own: sources of a C library, or fonts of ours.
    has_foreign: bool,
    /// The packages that it needs, by name and version.
    needs: BTreeSet<(String, String)>,
}

/// All packages of the program, by name and version.
pub struct BuiltIn(BTreeMap<(String, String), Package>);

impl BuiltIn {
    /// Those of the program for this machine's kind.
    ///
    /// # Errors
    /// When cargo cannot answer.
    pub fn of(workspace: &Workspace) -> Result<Self> {
        let root = &workspace.root;
        let mut ask = cargo();
        ask.current_dir(root)
            .args(["metadata", "--format-version", "1", "--locked", "--filter-platform"])
            .arg(format!("{}-unknown-linux-gnu", std::env::consts::ARCH));
        let answer: Value = serde_json::from_str(&command::output(&mut ask)?)
            .context(|| "the answer of cargo metadata cannot be read".into())?;
        let lock = std::fs::read_to_string(root.join("Cargo.lock")).context(|| "Cargo.lock".into())?;
        let lock: toml::Table = toml::from_str(&lock).context(|| "Cargo.lock".into())?;
        Self::from_answer(&answer, &lock)
    }

    fn from_answer(answer: &Value, lock: &toml::Table) -> Result<Self> {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let sums: BTreeMap<(String, String), String> = lock["package"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|package| {
                let of = |key: &str| package.get(key)?.as_str().map(str::to_owned);
                Some(((of("name")?, of("version")?), of("checksum")?))
            })
            .collect();
        let described: BTreeMap<&str, &Value> = answer["packages"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|package| Some((package["id"].as_str()?, package)))
            .collect();
        let name_of = |id: &str| {
            let package = described.get(id)?;
            Some((text(&package["name"]), text(&package["version"])))
        };
        let nodes: BTreeMap<&str, &Value> = answer["resolve"]["nodes"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|node| Some((node["id"].as_str()?, node)))
            .collect();
        let program = described.iter().find(|(_, package)| package["name"] == PROGRAM).map(|(id, _)| *id);
        let program = program.ok_or_else(|| Failure::new(format!("cargo knows no package {PROGRAM}")))?;
        let (mut found, mut waiting) = (BTreeMap::new(), vec![program]);
        let mut seen = BTreeSet::from([program]);
        while let Some(id) = waiting.pop() {
            let (Some(package), Some(node)) = (described.get(id), nodes.get(id)) else { continue };
            let mut needs = BTreeSet::new();
            for dependency in node["deps"].as_array().into_iter().flatten() {
                // What only tests use is not built in.
                let kinds = dependency["dep_kinds"].as_array();
                let is_built = kinds.into_iter().flatten().any(|kind| kind["kind"] != "dev");
                let Some(id) = dependency["pkg"].as_str().filter(|_| is_built) else { continue };
                needs.extend(name_of(id));
                if seen.insert(id) {
                    waiting.push(id);
                }
            }
            let manifest = PathBuf::from(text(&package["manifest_path"]));
            let (name, version) = (text(&package["name"]), text(&package["version"]));
            let key = (name.clone(), version.clone());
            let sha256 = sums.get(&key).cloned();
            let folder = manifest.parent().unwrap_or(Path::new("/")).to_owned();
            let licence = text(&package["license"]);
            let has_foreign = package["links"].is_string() || sha256.is_none();
            found.insert(key, Package { name, version, licence, sha256, folder, has_foreign, needs });
        }
        Ok(Self(found))
    }

    /// The bill of materials, as JSON, dated with these seconds since 1970.
    ///
    /// # Errors
    /// When `epoch` is not a number.
    pub fn bill_of_materials(&self, epoch: &str) -> Result<String> {
        let program = self.0.values().find(|package| package.name == PROGRAM);
        let program = program.ok_or_else(|| Failure::new("the program is not in its own list"))?;
        let others = self.0.values().filter(|package| package.name != PROGRAM);
        let dependencies = self.0.values().map(|package| {
            let needs: Vec<String> =
                package.needs.iter().map(|(name, version)| purl(name, version)).collect();
            json!({ "ref": package.purl(), "dependsOn": needs })
        });
        let mut date = Command::new("date");
        let time =
            command::output(date.args(["--utc", "--date", &format!("@{epoch}"), "+%Y-%m-%dT%H:%M:%SZ"]))?;
        let bill = json!({
            "bomFormat": "CycloneDX",
            "specVersion": "1.5",
            "version": 1,
            "metadata": { "timestamp": time.trim(), "component": program.component("application") },
            "components": others.map(|package| package.component("library")).collect::<Vec<_>>(),
            "dependencies": dependencies.collect::<Vec<_>>(),
        });
        Ok(format!("{bill:#}\n"))
    }

    /// Puts the list of packages into a program, as cargo-auditable does it: a section [`SECTION`] with JSON, compressed. Programs
    /// that look for known vulnerabilities read it from the file alone.
    ///
    /// # Errors
    /// When the section cannot be made or added.
    pub fn put_into(&self, program: &Path) -> Result<()> {
        let list = program.with_extension("packages.json");
        let section = program.with_extension("packages");
        let wrong = |file: &Path| format!("{} cannot be written", file.display());
        std::fs::write(&list, self.section()).context(|| wrong(&list))?;
        let open =
            |file: &Path| std::fs::File::open(file).context(|| format!("{} cannot be read", file.display()));
        let made = std::fs::File::create(&section).context(|| wrong(&section))?;
        let mut compress = Command::new(setup::debian_program("zlib-flate", "qpdf")?);
        command::run(compress.arg("-compress").stdin(open(&list)?).stdout(made))?;
        let mut add = Command::new(setup::debian_program("objcopy", "binutils")?);
        add.arg(format!("--add-section={SECTION}={}", section.display()));
        command::run(add.arg(format!("--set-section-flags={SECTION}=noload,readonly")).arg(program))?;
        for file in [list, section] {
            std::fs::remove_file(&file).context(|| format!("{} cannot be removed", file.display()))?;
        }
        Ok(())
    }

    /// The JSON of the section: packages by name and version, and their places in the list for what each needs.
    fn section(&self) -> String {
        let places: BTreeMap<_, _> = self.0.keys().enumerate().map(|(place, key)| (key, place)).collect();
        let packages = self.0.values().map(|package| {
            let source = if package.sha256.is_some() { "crates.io" } else { "local" };
            let needs: Vec<_> = package.needs.iter().filter_map(|key| places.get(key)).collect();
            let mut listed = json!({ "name": package.name, "version": package.version, "source": source });
            if !needs.is_empty() {
                listed["dependencies"] = json!(needs);
            }
            if package.name == PROGRAM {
                listed["root"] = json!(true);
            }
            listed
        });
        json!({ "packages": packages.collect::<Vec<_>>() }).to_string()
    }

    /// The licence of every package with its texts; equal texts are there once.
    ///
    /// # Errors
    /// When the file of a licence cannot be read.
    pub fn licences(&self) -> Result<String> {
        let mut by_text: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        let mut list = String::from("Packages that muster is built from, and their licences.\n\n");
        for package in self.0.values() {
            let name = format!("{} {}", package.name, package.version);
            writeln!(list, "{name}\n    {}", package.licence).context(|| name.clone())?;
            let depth = if package.has_foreign { FOREIGN_DEPTH } else { 1 };
            for file in texts_in(&package.folder, depth)? {
                let bytes = std::fs::read(&file).context(|| format!("{} cannot be read", file.display()))?;
                let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n").trim().to_owned();
                by_text.entry(text).or_default().insert(name.clone());
            }
        }
        for (text, packages) in &by_text {
            let packages: Vec<&str> = packages.iter().map(String::as_str).collect();
            let line = "-".repeat(80);
            write!(list, "\n{line}\nIn {}:\n\n{text}\n", packages.join(", ")).context(|| line.clone())?;
        }
        Ok(list)
    }
}

impl Package {
    fn purl(&self) -> String {
        purl(&self.name, &self.version)
    }

    fn component(&self, kind: &str) -> Value {
        let mut component = json!({
            "type": kind,
            "bom-ref": self.purl(),
            "name": self.name,
            "version": self.version,
            "licenses": [{ "expression": self.licence.replace('/', " OR ") }],
            "purl": self.purl(),
        });
        if let Some(sha256) = &self.sha256 {
            component["hashes"] = json!([{ "alg": "SHA-256", "content": sha256 }]);
        }
        component
    }
}

/// The package as other lists of packages name it.
fn purl(name: &str, version: &str) -> String {
    // The one character of versions that has a meaning there.
    format!("pkg:cargo/{name}@{}", version.replace('+', "%2B"))
}

/// The files that have a licence or a notice, by name, in a folder and those below it, as many levels as `depth`.
fn texts_in(folder: &Path, depth: usize) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).context(|| format!("{} cannot be listed", folder.display()))?;
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().to_lowercase();
        if path.is_dir() && !path.is_symlink() && depth > 1 {
            files.extend(texts_in(&path, depth - 1)?);
        } else if path.is_file() && TEXTS.iter().any(|beginning| name.starts_with(beginning)) {
            files.push(path);
        }
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    /// muster needs a (built) and t (for tests); a needs b to be built; c is of nobody.
    fn answer(folder: &Path) -> Value {
        let package = |name: &str| {
            let manifest = folder.join(name).join("Cargo.toml");
            json!({ "id": name, "name": name, "version": "1.0.0", "license": "MIT/Apache-2.0", "manifest_path": manifest })
        };
        let need = |id: &str, kind: Value| json!({ "pkg": id, "dep_kinds": [{ "kind": kind }] });
        json!({
            "packages": [package("muster"), package("a"), package("b"), package("c"), package("t")],
            "resolve": { "nodes": [
                { "id": "muster", "deps": [need("a", Value::Null), need("t", json!("dev"))] },
                { "id": "a", "deps": [need("b", json!("build"))] },
                { "id": "b", "deps": [] },
                { "id": "c", "deps": [] },
                { "id": "t", "deps": [] },
            ] },
        })
    }

    fn built_in(folder: &Path) -> BuiltIn {
        let lock = "[[package]]\nname = \"a\"\nversion = \"1.0.0\"\nchecksum = \"00ff\"\n";
        BuiltIn::from_answer(&answer(folder), &toml::from_str(lock).unwrap()).unwrap()
    }

    #[test]
    fn what_only_tests_use_is_not_listed() {
        let folder = std::env::temp_dir();
        let names: Vec<_> = built_in(&folder).0.into_keys().map(|(name, _)| name).collect();
        assert_eq!(names, ["a", "b", "muster"]);
    }

    #[test]
    fn a_component_has_its_licence_and_its_digest() {
        let found = built_in(&std::env::temp_dir());
        let component = found.0[&("a".into(), "1.0.0".into())].component("library");
        assert_eq!(component["purl"], json!("pkg:cargo/a@1.0.0"));
        assert_eq!(component["licenses"], json!([{ "expression": "MIT OR Apache-2.0" }]));
        assert_eq!(component["hashes"], json!([{ "alg": "SHA-256", "content": "00ff" }]));
        assert_eq!(found.0[&("b".into(), "1.0.0".into())].component("library")["hashes"], Value::Null);
        assert_eq!(purl("x", "1.0.0+3.2"), "pkg:cargo/x@1.0.0%2B3.2");
    }

    /// By the schema of cargo-auditable: places count from 0.
    #[test]
    fn the_list_in_the_program_names_what_each_package_needs() {
        let section: Value = serde_json::from_str(&built_in(&std::env::temp_dir()).section()).unwrap();
        let expected = json!({ "packages": [
            { "name": "a", "version": "1.0.0", "source": "crates.io", "dependencies": [1] },
            { "name": "b", "version": "1.0.0", "source": "local" },
            { "name": "muster", "version": "1.0.0", "source": "local", "dependencies": [0], "root": true },
        ] });
        assert_eq!(section, expected);
    }

    #[test]
    fn equal_texts_are_there_once() {
        let folder = std::env::temp_dir().join(format!("muster-licences-{}", std::process::id()));
        for (name, file, text) in [
            ("muster", "LICENSE-MIT", "Do as you like.\r\n"),
            ("a", "license.txt", "Do as you like.\n"),
            ("b", "COPYING", "Do as b likes."),
            ("b", "README", "no licence"),
            ("muster/assets/fonts", "OFL.txt", "Of a font."),
            ("a/vendored", "LICENSE", "Of another package's tests."),
        ] {
            std::fs::create_dir_all(folder.join(name)).unwrap();
            std::fs::write(folder.join(name).join(file), text).unwrap();
        }
        let list = built_in(&folder).licences();
        std::fs::remove_dir_all(&folder).unwrap();
        let list = list.unwrap();
        assert!(list.contains("In a 1.0.0, muster 1.0.0:\n\nDo as you like.\n"), "{list}");
        assert!(list.contains("In b 1.0.0:\n\nDo as b likes.\n"), "{list}");
        assert_eq!(list.matches("Do as you like.").count(), 1);
        assert!(list.contains("In muster 1.0.0:\n\nOf a font.\n"), "{list}");
        assert!(!list.contains("no licence") && !list.contains("tests"), "{list}");
        assert!(list.lines().any(|line| line == "b 1.0.0"), "{list}");
    }
}
