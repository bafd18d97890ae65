//! Builds the function binaries: `cargo build --workspace --bins`, in the caller's profile and target folder.
//!
//! `cargo run` and `cargo test` do not build other packages' binaries, so rehearsals and tests build them here. Only
//! Cargo knows whether a binary is current, so it always runs; that takes a fraction of a second.

mod artifacts;
mod caller;
mod process_group;

pub use caller::CallerBuild;

use artifacts::Artifact;
use process_group::ProcessGroup;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncBufReadExt, AsyncRead, BufReader};
use tokio::process::Command;
use tokio::sync::mpsc;

/// How many lines of Cargo's output an error repeats.
const LAST_LINES: usize = 40;

/// The binaries of the workspace, by their names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binaries(BTreeMap<String, PathBuf>);

/// The progress of a build.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BuildProgress {
    /// A crate was compiled.
    Compiled {
        /// Its name.
        name: String,
        /// How many were compiled so far, with this one. Crates that were current do not count.
        count: usize,
    },
    /// Other output of Cargo, such as that it waits for another build.
    Said(String),
}

/// Why there are no binaries.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each field is what its message calls it")]
pub enum BuildError {
    #[error("there is no workspace in `{}` to build the functions from, and no folder of function binaries was \
             named", .workspace.display())]
    NoWorkspace { workspace: PathBuf },
    #[error("cannot run `cargo build --workspace --bins`")]
    Cargo { source: std::io::Error },
    #[error("`cargo build --workspace --bins` failed ({status}){last_lines}")]
    Failed { status: ExitStatus, last_lines: String },
    #[error("no binary {} in {place}", .names.join(", "))]
    Missing { names: Vec<String>, place: String },
}

/// The workspace in which this crate was built.
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("the crate lies in crates/ of the workspace").to_owned()
}

/// Cargo sets variables about a program's package when it runs the program. Build scripts that read them (`ring`'s
/// does) would see another build than the same build in a terminal. The two would then compile everything above them
/// again in turns.
fn of_the_caller(names: impl Iterator<Item = String>) -> impl Iterator<Item = String> {
    names.filter(|name| name == "OUT_DIR" || name.starts_with("CARGO_MANIFEST_") || name.starts_with("CARGO_PKG_"))
}

/// Builds every binary of the workspace that is not current, and returns where they are.
///
/// Dropping the future ends Cargo and every compiler that it started.
pub async fn build(
    workspace: &Path,
    caller: &CallerBuild,
    mut progress: impl FnMut(BuildProgress),
) -> Result<Binaries, BuildError> {
    if !workspace.join("Cargo.toml").is_file() {
        return Err(BuildError::NoWorkspace { workspace: workspace.to_owned() });
    }
    let mut cargo = Command::new("cargo");
    for name in of_the_caller(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok())) {
        cargo.env_remove(name);
    }
    let mut child = cargo
        .args(["build", "--workspace", "--bins", "--message-format", "json-render-diagnostics"])
        .args(caller.arguments())
        .current_dir(workspace)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|source| BuildError::Cargo { source })?;
    let group = ProcessGroup::of(&child);
    let (sender, mut lines) = mpsc::channel(64);
    let readers = [
        tokio::spawn(forward(child.stdout.take(), Line::Message, sender.clone())),
        tokio::spawn(forward(child.stderr.take(), Line::Talk, sender)),
    ];
    let mut found = BTreeMap::new();
    let mut compiled = 0;
    let mut talk: Vec<String> = Vec::new();
    while let Some(line) = lines.recv().await {
        match line {
            Line::Message(line) => {
                let Some(artifact) = Artifact::parse(&line) else { continue };
                if let Some(executable) = artifact.executable {
                    found.insert(artifact.name.clone(), executable);
                }
                if !artifact.fresh {
                    compiled += 1;
                    progress(BuildProgress::Compiled { name: artifact.name, count: compiled });
                }
            }
            Line::Talk(line) => {
                progress(BuildProgress::Said(line.clone()));
                talk.push(line);
            }
        }
    }
    let status = child.wait().await.map_err(|source| BuildError::Cargo { source })?;
    group.has_ended();
    for reader in readers {
        reader.abort();
    }
    if !status.success() {
        let last: Vec<String> =
            talk.iter().skip(talk.len().saturating_sub(LAST_LINES)).map(|line| format!("\n  {line}")).collect();
        return Err(BuildError::Failed { status, last_lines: last.concat() });
    }
    Ok(Binaries(found))
}

impl Binaries {
    /// Returns every file of a folder of binaries that were built elsewhere.
    pub fn in_folder(folder: &Path) -> std::io::Result<Self> {
        let mut found = BTreeMap::new();
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if let (true, Some(name)) = (path.is_file(), path.file_name().and_then(|name| name.to_str())) {
                found.insert(name.to_owned(), path.clone());
            }
        }
        Ok(Self(found))
    }

    /// Returns the place of each binary, by name.
    pub fn by_name(&self) -> &BTreeMap<String, PathBuf> {
        &self.0
    }

    /// Returns the place of a binary.
    pub fn path(&self, name: &str) -> Result<&Path, BuildError> {
        self.0.get(name).map(PathBuf::as_path).ok_or_else(|| self.missing(vec![name.to_owned()]))
    }

    /// Returns the folder that has all of these; the error names the missing ones.
    pub fn folder_of<'a>(&self, names: impl IntoIterator<Item = &'a str>) -> Result<PathBuf, BuildError> {
        let names: Vec<&str> = names.into_iter().collect();
        let missing: Vec<String> =
            names.iter().filter(|name| !self.0.contains_key(**name)).map(|name| (*name).to_owned()).collect();
        match names.first().and_then(|name| self.0.get(*name)).and_then(|path| path.parent()) {
            Some(folder) if missing.is_empty() => Ok(folder.to_owned()),
            _ => Err(self.missing(missing)),
        }
    }

    fn missing(&self, names: Vec<String>) -> BuildError {
        let place = self.0.values().next().and_then(|path| path.parent());
        let place = place.map_or_else(|| "the workspace".to_owned(), |folder| format!("`{}`", folder.display()));
        BuildError::Missing { names, place }
    }
}

enum Line {
    Message(String),
    Talk(String),
}

async fn forward(stream: Option<impl AsyncRead + Unpin>, kind: fn(String) -> Line, lines: mpsc::Sender<Line>) {
    let Some(stream) = stream else { return };
    let mut read = BufReader::new(stream).lines();
    while let Ok(Some(line)) = read.next_line().await {
        if lines.send(kind(line)).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cargo_tells_a_program_about_itself_is_not_handed_on() {
        let told = ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "OUT_DIR", "CARGO_HOME", "CARGO_INCREMENTAL", "PATH"];
        let removed: Vec<String> = of_the_caller(told.into_iter().map(str::to_owned)).collect();
        assert_eq!(removed, ["CARGO_MANIFEST_DIR", "CARGO_PKG_NAME", "OUT_DIR"]);
    }

    fn binaries(folder: &Path, names: &[&str]) -> Binaries {
        for name in names {
            std::fs::write(folder.join(name), "").unwrap();
        }
        Binaries::in_folder(folder).unwrap()
    }

    #[test]
    fn every_missing_binary_is_named_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let found = binaries(folder.path(), &["shift-weight", "roll-back"]);
        assert_eq!(found.folder_of(["shift-weight", "roll-back"]).unwrap(), folder.path());
        let error = found.folder_of(["roll-back", "check-targets", "check-alarms"]).unwrap_err().to_string();
        assert_eq!(error, format!("no binary check-targets, check-alarms in `{}`", folder.path().display()));
        assert_eq!(found.path("roll-back").unwrap(), folder.path().join("roll-back"));
    }

    #[tokio::test]
    async fn a_folder_without_a_workspace_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let error = build(folder.path(), &CallerBuild::default(), |_| {}).await.unwrap_err();
        assert!(matches!(error, BuildError::NoWorkspace { .. }), "{error}");
    }

    /// A separate package, so that this test does not wait for the build that runs it, or disturb it.
    fn package(folder: &Path, source: &str) -> CallerBuild {
        std::fs::create_dir(folder.join("src")).unwrap();
        std::fs::write(folder.join("Cargo.toml"), "[package]\nname = \"tiny\"\nedition = \"2024\"\n[workspace]\n")
            .unwrap();
        std::fs::write(folder.join("src/main.rs"), source).unwrap();
        CallerBuild { target_folder: Some(folder.join("elsewhere")), ..CallerBuild::default() }
    }

    #[tokio::test]
    async fn a_build_reports_what_it_compiles_and_a_second_one_compiles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let caller = package(folder.path(), "fn main() {}");
        let compiled = |progress: &[BuildProgress]| {
            let is_compiled = |progress: &&BuildProgress| matches!(progress, BuildProgress::Compiled { .. });
            progress.iter().filter(is_compiled).cloned().collect::<Vec<_>>()
        };
        let mut progress = Vec::new();
        let built = build(folder.path(), &caller, |step| progress.push(step)).await.unwrap();
        assert_eq!(built.path("tiny").unwrap(), folder.path().join("elsewhere/debug/tiny"));
        assert_eq!(compiled(&progress), [BuildProgress::Compiled { name: "tiny".into(), count: 1 }]);
        let mut progress = Vec::new();
        assert_eq!(build(folder.path(), &caller, |step| progress.push(step)).await.unwrap(), built);
        assert_eq!(compiled(&progress), []);
    }

    #[tokio::test]
    async fn a_failed_build_shows_the_compilers_words() {
        let folder = tempfile::tempdir().unwrap();
        let caller = package(folder.path(), "fn main() { nonsense }");
        let error = build(folder.path(), &caller, |_| {}).await.unwrap_err().to_string();
        assert!(error.contains("cannot find value `nonsense`"), "{error}");
    }

    #[tokio::test]
    async fn whatever_cargo_has_started_ends_with_a_build_that_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let caller = package(folder.path(), "fn main() {}");
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        // A build script that hangs until its connection ends, which only the end of the process does.
        let script = format!(
            "use std::io::Read; fn main() {{ let mut it = std::net::TcpStream::connect(\"{address}\").unwrap(); \
             let _ = it.read(&mut [0]); }}"
        );
        std::fs::write(folder.path().join("build.rs"), script).unwrap();
        let mut connection = tokio::select! {
            accepted = listener.accept() => accepted.unwrap().0,
            built = build(folder.path(), &caller, |_| {}) => panic!("the build script did not hang: {built:?}"),
        };
        let read = tokio::io::AsyncReadExt::read(&mut connection, &mut [0]).await;
        assert!(matches!(read, Ok(0) | Err(_)), "the build script has ended: {read:?}");
    }
}
