//! `cargo xtask fuzz`: every target of `fuzz/`, with libFuzzer, for a given time each.
//!
//! Why in addition to the tests: a test passes the kept inputs of `fuzz/corpus` to the same functions; here the fuzzer looks
//! for further inputs. What it finds stays below the target directory, and the next run begins with it. `--keep` writes a
//! small set of inputs that reach as much code to `fuzz/corpus`.

mod report;

use crate::setup;
use muster_harness::command;
use muster_harness::failure::{Context, Failure, Result};
use muster_harness::workspace::{Workspace, cargo};
use report::Ended;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

/// `cargo xtask fuzz`
#[derive(Debug, clap::Args)]
pub struct Options {
    /// Targets to run, all when none is named
    pub targets: Vec<String>,
    /// Seconds for each target
    #[arg(long, default_value_t = 60)]
    pub seconds: u64,
    /// Add a small set of the inputs that were found to the kept ones
    #[arg(long)]
    pub keep: bool,
}

/// Longest input that is tried, in bytes. The limits of the formats have other tests.
const INPUT_BYTES_MAX: usize = 4096;
/// Longest input that is kept, in bytes.
const KEPT_BYTES_MAX: usize = 1024;
/// Most inputs that are kept for a target, the smallest first.
const KEPT_MAX: usize = 60;
/// Longest time that one input may take, in seconds of real time: much, because the machine may be busy.
const TIME_MAX_S: u64 = 60;
/// Memory that one input may need, in megabytes.
const MEMORY_MAX_MB: u64 = 1024;

/// Runs the targets and prints a table. Whether none crashed.
pub fn run(workspace: &Workspace, options: &Options) -> Result<bool> {
    let all = targets(workspace)?;
    if let Some(unknown) = options.targets.iter().find(|target| !all.contains(target)) {
        return Err(Failure::new(format!(
            "there is no target {unknown}: expected one of {}",
            all.join(", ")
        )));
    }
    let chosen = if options.targets.is_empty() { &all } else { &options.targets };
    let programs = built(workspace)?;
    let mut lines = Vec::new();
    let mut sound = true;
    for target in chosen {
        let ended = fuzzed(workspace, &programs.join(target), target, options.seconds)?;
        if let Some(crash) = &ended.crash {
            println!("FAIL  {target}: {crash}");
        } else if options.keep {
            keep(workspace, &programs.join(target), target)?;
        }
        sound &= ended.crash.is_none();
        lines.push(ended.line(target));
        println!("{}", lines[lines.len() - 1]);
    }
    println!("{}\n{}", report::HEAD, lines.join("\n"));
    Ok(sound)
}

/// Names of the targets, from the package's manifest.
fn targets(workspace: &Workspace) -> Result<Vec<String>> {
    let path = workspace.root.join("fuzz/Cargo.toml");
    let text = std::fs::read_to_string(&path).context(|| format!("{} cannot be read", path.display()))?;
    let manifest: toml::Table = toml::from_str(&text).context(|| path.display().to_string())?;
    let names = manifest["bin"].as_array().into_iter().flatten().filter_map(|bin| bin["name"].as_str());
    Ok(names.map(str::to_owned).collect())
}

/// Builds every target; the folder of their programs.
///
/// Without a sanitizer, so that a stable compiler is enough: no crate of ours has unsafe code, and the fuzzer looks for
/// broken promises and panics.
fn built(workspace: &Workspace) -> Result<PathBuf> {
    let folder = workspace.cache()?.join("fuzz");
    let program = setup::cargo_fuzz(workspace)?;
    command::run(
        Command::new(program)
            .args(["fuzz", "build", "--sanitizer", "none", "--debug-assertions", "--fuzz-dir"])
            .arg(workspace.root.join("fuzz"))
            .arg("--target-dir")
            .arg(&folder)
            .current_dir(&workspace.root),
    )?;
    let version = command::output(cargo().args(["--version", "--verbose"]))?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let host = host.ok_or_else(|| Failure::new("cargo does not say which machine it is for"))?;
    Ok(folder.join(host).join("release"))
}

/// The folder with the inputs that were found for a target, and its crashes.
fn work(workspace: &Workspace, target: &str) -> Result<PathBuf> {
    made(workspace.cache()?.join("fuzz-found").join(target))
}

fn made(folder: PathBuf) -> Result<PathBuf> {
    std::fs::create_dir_all(&folder).context(|| format!("{} cannot be made", folder.display()))?;
    Ok(folder)
}

fn kept(workspace: &Workspace, target: &str) -> PathBuf {
    workspace.root.join("fuzz/corpus").join(target)
}

/// Runs a target once.
fn fuzzed(workspace: &Workspace, program: &Path, target: &str, seconds: u64) -> Result<Ended> {
    let work = work(workspace, target)?;
    let found = made(work.join("corpus"))?;
    let log = work.join("log.txt");
    let mut run = Command::new(program);
    run.arg(format!("-max_total_time={seconds}"))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={TIME_MAX_S}"))
        .arg(format!("-rss_limit_mb={MEMORY_MAX_MB}"))
        .arg(format!("-artifact_prefix={}/", work.display()))
        .args(["-print_final_stats=1", "-verbosity=1"])
        .args([&found, &kept(workspace, target)]);
    let succeeded = logged(&mut run, &log)?;
    let text = std::fs::read(&log).context(|| format!("{} cannot be read", log.display()))?;
    Ok(Ended::read(&String::from_utf8_lossy(&text), succeeded, &log))
}

/// Runs a command whose two outputs, with the panics of what is fuzzed, are written to a file. Whether the status is 0.
fn logged(command: &mut Command, log: &Path) -> Result<bool> {
    let unwritable = || format!("{} cannot be written", log.display());
    let out = File::create(log).context(unwritable)?;
    let again = out.try_clone().context(unwritable)?;
    let program = command.get_program().to_string_lossy().into_owned();
    eprintln!("$ {program}  (see {})", log.display());
    let status = command.stdout(out).stderr(again).status().context(|| format!("{program} cannot be run"))?;
    Ok(status.success())
}

/// Adds a small set of the inputs that were found to the kept ones: those that reach further.
fn keep(workspace: &Workspace, program: &Path, target: &str) -> Result<()> {
    let work = work(workspace, target)?;
    let kept = kept(workspace, target);
    let mut merge = Command::new(program);
    merge
        .args(["-set_cover_merge=1".to_owned(), format!("-max_len={KEPT_BYTES_MAX}")])
        .args([&kept, &work.join("corpus")]);
    if !logged(&mut merge, &work.join("merge.txt"))? {
        return Err(Failure::new(format!("{target}: the inputs could not be merged")));
    }
    let unlisted = || format!("{} cannot be listed", kept.display());
    let (mut by_hand, mut found) = (0, Vec::new());
    for entry in std::fs::read_dir(&kept).context(unlisted)? {
        let path = entry.context(unlisted)?.path();
        if is_digest(&path) {
            found.push((path.metadata().context(unlisted)?.len(), path));
        } else {
            by_hand += 1;
        }
    }
    found.sort();
    for (_, path) in found.iter().skip(KEPT_MAX.saturating_sub(by_hand)) {
        std::fs::remove_file(path).context(|| format!("{} cannot be removed", path.display()))?;
    }
    Ok(())
}

/// Whether the fuzzer named this file: by its SHA-1.
fn is_digest(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    name.len() == 40 && name.iter().all(u8::is_ascii_hexdigit)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::files::Files;

    /// A target that no test replays would be fuzzed and never tested.
    #[test]
    fn each_target_has_kept_inputs_and_a_test_that_gives_them() {
        let workspace = Workspace::find().expect("this repository");
        let files = Files::read(&workspace).expect("files can be read");
        let targets = targets(&workspace).expect("the package can be read");
        assert!(targets.len() > 10, "{targets:?}");
        for target in &targets {
            assert!(
                kept(&workspace, target).read_dir().is_ok_and(|mut files| files.next().is_some()),
                "{target}"
            );
            let call = format!("replay(\"{target}\"");
            assert!(files.ending("fuzzing.rs").any(|(_, text)| text.contains(&call)), "{target}");
        }
        let folders = workspace.root.join("fuzz/corpus").read_dir().expect("it is there");
        for folder in folders {
            let name = folder.expect("it can be listed").file_name().to_string_lossy().into_owned();
            assert!(targets.contains(&name), "{name} is the folder of no target");
        }
    }
}
