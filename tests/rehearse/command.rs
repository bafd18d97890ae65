//! The built command as a process.

use crossfade_rehearsal::functions::build::{Binaries, CallerBuild, build, workspace};
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::thread::JoinHandle;

/// A run of the command that is over.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A run of the command that is going on; dropped, it is killed.
pub(crate) struct Running {
    child: Child,
    stdout: JoinHandle<String>,
    stderr: std::sync::mpsc::Receiver<String>,
    heard: String,
}

/// The binaries of the workspace, built once beside the tests.
fn binaries() -> &'static Binaries {
    static BINARIES: OnceLock<Binaries> = OnceLock::new();
    BINARIES.get_or_init(|| {
        let caller = CallerBuild::of(&std::env::current_exe().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(build(&workspace(), &caller, |_| {})).unwrap()
    })
}

/// One of them.
pub(crate) fn binary(name: &str) -> PathBuf {
    binaries().path(name).unwrap().to_owned()
}

/// Runs `crossfade` to its end.
pub(crate) fn crossfade<const N: usize>(arguments: [&str; N]) -> Finished {
    Running::start(arguments).finish()
}

/// A file with a scenario.
pub(crate) fn scenario_file(folder: &Path, yaml: &str) -> PathBuf {
    let file = folder.join("scenario.yaml");
    std::fs::write(&file, yaml).unwrap();
    file
}

impl Running {
    pub(crate) fn start<const N: usize>(arguments: [&str; N]) -> Self {
        let mut child = Command::new(binaries().path("crossfade").unwrap())
            .args(arguments)
            .env_remove("NO_COLOR")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let error = BufReader::new(child.stderr.take().unwrap());
        let stdout = std::thread::spawn(move || {
            let mut text = String::new();
            out.read_to_string(&mut text).unwrap();
            text
        });
        let (sender, stderr) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            for line in error.lines() {
                if sender.send(line.unwrap()).is_err() {
                    return;
                }
            }
        });
        Self { child, stdout, stderr, heard: String::new() }
    }

    /// Waits until a line of standard error has `text` in it, and gives that line.
    pub(crate) fn until_it_says(&mut self, text: &str) -> String {
        while let Ok(line) = self.stderr.recv() {
            self.heard += &line;
            self.heard.push('\n');
            if line.contains(text) {
                return line;
            }
        }
        panic!("it ended without saying {text:?}:\n{}", self.heard);
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        let id = self.child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &id]).status().unwrap().success());
    }

    /// The processes that it has started and that are running.
    pub(crate) fn children(&self) -> Vec<u32> {
        let mut children = Vec::new();
        for process in std::fs::read_dir("/proc").unwrap() {
            let Ok(id) = process.unwrap().file_name().to_string_lossy().parse::<u32>() else { continue };
            // `<id> (<name>) <state> <parent> ...`; a process may end while it is looked at.
            let Ok(stat) = std::fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
            let parent = stat.rsplit(')').next().and_then(|rest| rest.split_whitespace().nth(1));
            if parent.and_then(|parent| parent.parse().ok()) == Some(self.child.id()) {
                children.push(id);
            }
        }
        children
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let code = self.child.wait().unwrap().code();
        while let Ok(line) = self.stderr.recv() {
            self.heard += &line;
            self.heard.push('\n');
        }
        let reader = std::mem::replace(&mut self.stdout, std::thread::spawn(String::new));
        Finished { code, stdout: reader.join().unwrap(), stderr: std::mem::take(&mut self.heard) }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // When it is over already there is nothing to kill.
        let _killed = self.child.kill();
        let _status = self.child.wait();
    }
}

impl Finished {
    /// The report, which must be all that stands on standard output.
    #[track_caller]
    pub(crate) fn report(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| {
            panic!("standard output is not one JSON object ({error}):\n{}\n{}", self.stdout, self.stderr)
        })
    }

    /// The outcome of each service of the report.
    #[track_caller]
    pub(crate) fn outcomes(&self) -> Vec<(String, String)> {
        let report = self.report();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let services = report["services"].as_array().unwrap().iter();
        services.map(|service| (text(&service["service"]), text(&service["outcome"]))).collect()
    }
}
