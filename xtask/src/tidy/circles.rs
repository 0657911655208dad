//! Import circles: files of a crate that need each other cannot be read, moved or tested one at a time.
//!
//! Tests are free to import what they test. A parent that only names its child (`child::run()`) does not
//! import from it; one with `use child::run` does.

use super::files::Files;
use super::imports::Imports;
use std::collections::{BTreeMap, BTreeSet};

/// A module's path from the root of its crate: `["report", "cover"]`.
type Module = Vec<String>;

/// Crates with files in circles.
pub fn faults(files: &Files) -> Vec<String> {
    let mut crates: BTreeMap<&str, BTreeMap<Module, Imports>> = BTreeMap::new();
    for (path, text) in files.ending(".rs") {
        let Some((name, file)) = path.strip_prefix("crates/").unwrap_or(path).split_once("/src/") else {
            continue;
        };
        if let Some(module) = module(file) {
            crates.entry(name).or_default().insert(module, Imports::read(text));
        }
    }
    crates.iter().filter_map(|(name, modules)| check(name, &circles(modules))).collect()
}

fn check(name: &str, circles: &[Vec<Module>]) -> Option<String> {
    let circle = |modules: &Vec<Module>| modules.iter().map(shown).collect::<Vec<_>>().join(", ");
    let list = circles.iter().map(circle).collect::<Vec<_>>().join("; ");
    (!circles.is_empty()).then(|| format!("files of crate {name} import each other in a circle: {list}"))
}

fn shown(module: &Module) -> String {
    if module.is_empty() { "the root".to_owned() } else { module.join("::") }
}

/// The module of a file below `src`; `None` for tests.
fn module(file: &str) -> Option<Module> {
    let mut module: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
    if module.iter().any(|part| part == "tests") {
        return None;
    }
    let is_root = module.len() == 1 && matches!(module[0].as_str(), "lib" | "main");
    if is_root || module.last().is_some_and(|last| last == "mod") {
        module.pop();
    }
    Some(module)
}

/// Groups of modules that import each other, directly or through others.
fn circles(modules: &BTreeMap<Module, Imports>) -> Vec<Vec<Module>> {
    let edges: BTreeMap<&Module, BTreeSet<&Module>> =
        modules.iter().map(|(module, imports)| (module, imported(module, imports, modules))).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        edges.keys().map(|module| (*module, reachable(module, &edges))).collect();
    let mut groups: Vec<Vec<Module>> = Vec::new();
    for module in reached.keys().filter(|module| reached[**module].contains(**module)) {
        if groups.iter().any(|group| group.contains(*module)) {
            continue;
        }
        let others = reached[*module].iter().filter(|other| reached[**other].contains(*module));
        groups.push(others.map(|other| (*other).clone()).collect());
    }
    groups
}

fn reachable<'a>(from: &Module, edges: &BTreeMap<&'a Module, BTreeSet<&'a Module>>) -> BTreeSet<&'a Module> {
    let mut reached = BTreeSet::new();
    let mut next: Vec<&Module> = edges[from].iter().copied().collect();
    while let Some(module) = next.pop() {
        if reached.insert(module) {
            next.extend(&edges[module]);
        }
    }
    reached
}

/// The other modules that `module` imports from.
fn imported<'a>(
    module: &Module,
    imports: &Imports,
    modules: &'a BTreeMap<Module, Imports>,
) -> BTreeSet<&'a Module> {
    let targets = imports.paths.iter().filter_map(|path| absolute(module, path, modules));
    // A parent that shows what its child declares does not use it.
    let shown = imports.shown.iter().filter_map(|(_, path)| absolute(module, path, modules));
    let shown = shown.filter(|path| !path.starts_with(module));
    let found = targets.chain(shown).filter_map(|path| declaring(&path, modules, 0));
    found.filter(|found| *found != module).collect()
}

/// A path as seen from the root; `None` for one that leads to another crate.
fn absolute(module: &Module, path: &[String], modules: &BTreeMap<Module, Imports>) -> Option<Module> {
    let mut base = module.clone();
    let mut rest = path.iter().peekable();
    match rest.peek()?.as_str() {
        "crate" => {
            base.clear();
            rest.next();
        }
        "self" => drop(rest.next()),
        "super" => {
            while rest.next_if(|part| *part == "super").is_some() {
                base.pop();
            }
        }
        child => {
            let child = [&base[..], &[child.to_owned()]].concat();
            modules.contains_key(&child).then_some(())?;
        }
    }
    base.extend(rest.cloned());
    Some(base)
}

/// The module with a file that declares what `path` names, through `pub use`.
fn declaring<'a>(
    path: &[String],
    modules: &'a BTreeMap<Module, Imports>,
    followed: usize,
) -> Option<&'a Module> {
    let length = (0..=path.len()).rev().find(|length| modules.contains_key(&path[..*length]))?;
    let (module, imports) = modules.get_key_value(&path[..length])?;
    let shown = path.get(length).and_then(|name| imports.shown.iter().find(|(shown, _)| shown == name));
    let target = shown.and_then(|(_, target)| absolute(module, target, modules));
    match target {
        // A name may be shown again and again, but not for ever.
        Some(target) if followed < 10 => {
            declaring(&[&target[..], &path[length + 1..]].concat(), modules, followed + 1)
        }
        Some(_) | None => Some(module),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(sources: &[(&str, &str)]) -> Vec<String> {
        let modules = sources.iter().filter_map(|(file, text)| Some((module(file)?, Imports::read(text))));
        let groups = circles(&modules.collect());
        groups.iter().map(|group| group.iter().map(shown).collect::<Vec<_>>().join(" ")).collect()
    }

    #[test]
    fn files_that_import_each_other_are_a_circle() {
        let sources = [
            ("lib.rs", "mod a; mod b; mod c; mod d; pub use a::A;"),
            ("a.rs", "use crate::b::{self, B};"),
            ("b.rs", "pub struct B; fn f() -> crate::c::C { loop {} }"),
            ("c.rs", "use super::A;"),
            ("d.rs", "use crate::a::A;"),
        ];
        assert_eq!(found(&sources), ["a b c"]);
        let without_c = [sources[0], sources[1], sources[2], sources[4]];
        assert_eq!(found(&without_c), [""; 0]);
    }

    #[test]
    fn a_parent_and_a_child_that_use_each_other_are_a_circle() {
        let child = ("a/child.rs", "use super::Limit;");
        assert_eq!(found(&[("a.rs", "mod child; use self::child::run;"), child]), ["a a::child"]);
        assert_eq!(found(&[("a.rs", "mod child; pub use child::run;"), child]), [""; 0]);
        assert_eq!(found(&[("a/mod.rs", "mod child; use child::run;"), child]), ["a a::child"]);
    }

    #[test]
    fn tests_are_free() {
        let inline = "use crate::b::B; #[cfg(test)] mod tests { use crate::c::C; }";
        let sources = [("a.rs", inline), ("b.rs", "struct B;"), ("c.rs", "use crate::a::A;")];
        assert_eq!(found(&sources), [""; 0]);
        assert_eq!(found(&[("a.rs", "mod tests; use tests::B;"), ("a/tests.rs", "use super::A;")]), [""; 0]);
    }

    #[test]
    fn a_fault_names_the_crate_and_the_files() {
        let circle = [vec![vec!["a".to_owned()], vec!["b".to_owned()]]];
        assert_eq!(
            check("x", &circle).as_deref(),
            Some("files of crate x import each other in a circle: a, b")
        );
        assert_eq!(check("x", &[]), None);
    }
}
