//! The rules of the house that a compiler does not know: who may depend on whom, how files are named, how long they
//! get.

mod rooms;

use crate::repository::{names_in, read, root};
use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use crossfade_domain::plan::FindingCode;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

/// What each crate may build on: `domain <- actions <- aws <- lambda <- functions, cli` and
/// `domain, actions <- world <- rehearsal <- cli` and `domain <- report <- cli`; the clock stands beside `aws`. The
/// tests may use everything.
const LAYERS: [(&str, &[&str]); 11] = [
    ("crossfade-domain", &[]),
    ("crossfade-actions", &["domain"]),
    ("crossfade-clock", &["actions"]),
    ("crossfade-aws", &["domain", "actions", "clock"]),
    ("crossfade-lambda", &["domain", "actions", "aws", "clock"]),
    ("crossfade-world", &["domain", "actions"]),
    ("crossfade-rehearsal", &["domain", "actions", "world"]),
    ("crossfade-report", &["domain"]),
    ("crossfade-cli", &["domain", "actions", "aws", "clock", "world", "rehearsal", "report"]),
    ("crossfade-measure", &[]),
    ("crossfade-judge-research", &[]),
];
/// What a function's crate may build on.
const FUNCTION_LAYER: &[&str] = &["domain", "actions", "aws", "lambda"];
/// Crates that would bring waiting, the environment or AWS into the pure ones.
const IMPURE: [&str; 6] = ["tokio", "async-trait", "futures", "hyper", "reqwest", "tracing"];
/// Names under which everything ends up that nobody has thought about.
const BANNED_NAMES: [&str; 8] = ["util", "utils", "helper", "helpers", "common", "manager", "misc", "impl"];
/// A longer file needs a reason in [`LONG_FILES`].
const LINES_OF_A_FILE: usize = 400;
/// The longer ones, each with the reason why no seam in it follows a meaning.
const LONG_FILES: [(&str, &str); 10] = [
    ("crates/domain/src/gates/verdict/tests.rs", "one table of cases behind one check"),
    ("crates/domain/src/planner/tests.rs", "one table of cases behind one check"),
    ("crates/rehearsal/src/functions/lambda_host/mod.rs", "a pool and its invocations, which share every lock"),
    ("crates/world/src/states/engine.rs", "the engine's public calls; what they do is in files of its own"),
    ("tests/contract/ledger.rs", "the contract of one port"),
    ("tests/contract/load_balancers.rs", "the contract of the ports to one service"),
    ("tests/simulation/ports.rs", "one call, its faults and its watch, for every port"),
    ("tests/simulation/scenario.rs", "one list of scenarios"),
    ("tests/simulation/watch.rs", "one list of invariants"),
    ("tests/state_machines.rs", "rules about the same machines"),
];
/// A line of code, comment or prose.
const COLUMNS: usize = 120;
/// Files with a line that cannot be broken, each with what it is.
const WIDE_LINES: [(&str, &str); 3] = [
    ("crates/cli/src/verbs/judge/tests.rs", "a sample of the command's output"),
    ("crates/rehearsal/src/functions/build/artifacts.rs", "a line of Cargo's JSON"),
    ("crates/rehearsal/src/wiring/tests.rs", "an ARN in YAML"),
];
/// More files in one folder are a list that nobody reads to its end.
const FILES_OF_A_FOLDER: usize = 16;
/// Wiring and nothing else.
const LINES_OF_A_FUNCTION: usize = 25;

fn metadata() -> Metadata {
    MetadataCommand::new().manifest_path(root().join("Cargo.toml")).no_deps().exec().expect("cargo metadata runs")
}

/// What each package of the workspace depends on, without what only its tests use, and without the package that is
/// nothing but tests.
fn dependencies() -> BTreeMap<String, BTreeSet<String>> {
    let metadata = metadata();
    let used = |package: &cargo_metadata::Package| {
        let all = package.dependencies.iter().filter(|dependency| dependency.kind != DependencyKind::Development);
        all.map(|dependency| dependency.name.clone()).collect()
    };
    let shipped = metadata.packages.iter().filter(|package| package.name != env!("CARGO_PKG_NAME"));
    shipped.map(|package| (package.name.to_string(), used(package))).collect()
}

#[test]
fn no_crate_reaches_over_its_layer() {
    let functions = names_in("functions");
    for (package, uses) in dependencies() {
        let layer = LAYERS.iter().find(|(name, _)| *name == package).map(|(_, layer)| *layer);
        let allowed = match layer {
            Some(layer) => layer,
            None if functions.contains(&package) => FUNCTION_LAYER,
            None => panic!("{package} has no layer: name it in LAYERS"),
        };
        for other in uses.iter().filter_map(|name| name.strip_prefix("crossfade-")) {
            assert!(allowed.contains(&other), "{package} must not depend on crossfade-{other}");
        }
    }
}

#[test]
fn only_the_adapter_names_the_sdk() {
    for (package, uses) in dependencies() {
        for name in uses.iter().filter(|name| name.starts_with("aws-") || name.as_str() == "lambda_runtime") {
            let allowed = match name.as_str() {
                // What functions are measured against is one too.
                "lambda_runtime" => {
                    ["crossfade-lambda", "crossfade-measure"].contains(&package.as_str())
                        || names_in("functions").contains(&package)
                }
                _ => package == "crossfade-aws",
            };
            assert!(allowed, "{package} must not depend on {name}: the ports are the only way to AWS");
        }
    }
}

#[test]
fn what_decides_does_not_wait_and_does_not_look_at_a_clock() {
    let dependencies = dependencies();
    for name in IMPURE {
        for pure in ["domain", "report"] {
            let uses = &dependencies[&format!("crossfade-{pure}")];
            assert!(!uses.contains(name), "crates/{pure} must not depend on {name}");
        }
    }
    for name in ["tokio", "hyper", "reqwest"] {
        assert!(
            !dependencies["crossfade-world"].contains(name),
            "crates/world must not depend on {name}: it is synchronous"
        );
        assert!(
            !dependencies["crossfade-actions"].contains(name),
            "crates/actions must not depend on {name}: it has ports"
        );
    }
    for file in rust_files(&["crates/domain/src", "crates/report/src"]) {
        let text = read(&file);
        for word in
            ["async fn", ".await", "std::env::", "std::fs::", "TcpStream", "UdpSocket", "Timestamp::now", "SystemTime"]
        {
            assert!(!text.contains(word), "{}: {word} in a crate that only decides or draws", file.display());
        }
    }
}

/// The Rust files below some folders, as paths from the root.
fn rust_files(folders: &[&str]) -> Vec<PathBuf> {
    let root = root();
    let mut open: Vec<PathBuf> = folders.iter().map(|folder| root.join(folder)).collect();
    let mut files = Vec::new();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            open.extend(std::fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(path.strip_prefix(&root).expect("it was found below the root").to_owned());
        }
    }
    files.sort();
    assert!(!files.is_empty(), "{folders:?} hold no Rust file");
    files
}

pub(crate) fn all_rust_files() -> Vec<PathBuf> {
    rust_files(&["crates", "functions", "research", "tests", "tools"])
}

#[test]
fn tests_and_binaries_are_built_with_one_feature_set() {
    let tree = |edges: &str| -> BTreeSet<String> {
        let arguments =
            ["tree", "--workspace", "--locked", "--prefix", "none", "--format", "{p} {f}", "--edges", edges];
        let told = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().expect("cargo tree runs");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let lines = String::from_utf8(told.stdout).expect("cargo speaks UTF-8");
        lines.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).collect()
    };
    let (binaries, tests) = (tree("normal,build"), tree("normal,build,dev"));
    let others: Vec<&String> = tests.symmetric_difference(&binaries).collect();
    assert!(
        others.is_empty(),
        "the SDK would be compiled twice; make these normal dependencies of `tests`: {others:?}"
    );
}

#[test]
fn files_are_named_after_what_they_do() {
    for file in all_rust_files() {
        for part in file.iter().map(|part| part.to_string_lossy().trim_end_matches(".rs").to_lowercase()) {
            for word in part.split(['_', '-']) {
                assert!(!BANNED_NAMES.contains(&word), "{}: {word} says nothing about what is in it", file.display());
            }
        }
    }
}

#[test]
fn files_are_short_enough_to_be_read() {
    for file in all_rust_files() {
        let lines = read(&file).lines().count();
        let reason = LONG_FILES.iter().find(|(path, _)| file == Path::new(path));
        assert!(lines <= LINES_OF_A_FILE || reason.is_some(), "{}: {lines} lines: look for a seam", file.display());
        assert!(lines > LINES_OF_A_FILE || reason.is_none(), "{}: it is short now; strike it out", file.display());
    }
}

#[test]
fn folders_are_small_enough_to_be_read() {
    let mut folders: BTreeMap<PathBuf, usize> = BTreeMap::new();
    for file in rust_files(&["crates", "functions", "research", "tools"]) {
        *folders.entry(file.parent().expect("a file is in a folder").to_owned()).or_default() += 1;
    }
    for (folder, files) in folders {
        let folder = folder.display();
        assert!(files <= FILES_OF_A_FOLDER, "{folder}: {files} files: group them by what they are about");
    }
}

#[test]
fn lines_fit_on_a_screen() {
    for file in all_rust_files().into_iter().chain(listed_files(&["*.md", "*.py"])) {
        let is_markdown = file.extension().is_some_and(|extension| extension == "md");
        let mut is_quoted = false;
        for (number, line) in read(&file).lines().enumerate() {
            is_quoted ^= is_markdown && line.trim_start().starts_with("```");
            // A table's row cannot be broken, nor an address; what is quoted is as it is.
            let must_be_wide = line.contains("://") || line.contains("arn:");
            let may_be_wide = must_be_wide || is_markdown && (is_quoted || line.starts_with('|'));
            let columns = line.chars().count();
            let is_known = WIDE_LINES.iter().any(|(path, _)| file == Path::new(path));
            assert!(
                columns <= COLUMNS || may_be_wide || is_known,
                "{}:{}: {columns} columns, {COLUMNS} at most",
                file.display(),
                number + 1
            );
        }
    }
}

pub(crate) fn listed_files(patterns: &[&str]) -> Vec<PathBuf> {
    let told =
        Command::new("git").arg("ls-files").args(patterns).current_dir(root()).output().expect("git lists files");
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("paths are UTF-8").lines().map(PathBuf::from).collect()
}

#[test]
fn a_functions_main_is_wiring() {
    for function in names_in("functions") {
        let path = format!("functions/{function}/src");
        assert_eq!(names_in(&path), ["main.rs"], "{function}");
        let lines = read(format!("{path}/main.rs")).lines().count();
        assert!(lines <= LINES_OF_A_FUNCTION, "{function}: {lines} lines");
        let metadata = metadata();
        let package = metadata.packages.iter().find(|package| package.name.as_str() == function);
        let package = package.unwrap_or_else(|| panic!("no package {function}"));
        let binaries: Vec<_> = package.targets.iter().filter(|target| target.is_bin()).collect();
        assert_eq!(binaries.len(), 1, "{function}");
        assert_eq!(binaries[0].name, function);
        assert!(!binaries[0].test, "{function}: its binary holds no tests and must not be linked for them");
    }
}

#[test]
fn every_crate_obeys_the_workspace_lints() {
    for package in metadata().packages {
        let manifest = std::fs::read_to_string(&package.manifest_path).unwrap();
        assert!(manifest.contains("[lints]\nworkspace = true"), "{} has no `[lints] workspace = true`", package.name);
    }
    for file in all_rust_files() {
        // Spelt in two pieces, or this line would be found.
        let banned = concat!("#[al", "low(");
        assert!(!read(&file).contains(banned), "{}: expect a lint, with its reason", file.display());
    }
}

/// Every code that a finding can carry is explained where its reader will look.
#[test]
fn every_code_of_a_finding_is_in_the_error_guide() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let guide = std::fs::read_to_string(root.join("docs/errors.md")).unwrap();
    let missing: Vec<_> = FindingCode::ALL.iter().filter(|code| !guide.contains(&format!("`{code}`"))).collect();
    assert!(missing.is_empty(), "not in docs/errors.md: {missing:?}");
}
