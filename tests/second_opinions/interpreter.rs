//! The two interpreters that are not ours: installed once below the target folder, started for a job, gone after it.

use super::script::{Run, Scenario};
use super::{FUNCTIONS, definition};
use crate::repository::{read, root};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

/// Runs the scenarios on `ministack` or `moto`.
pub(super) fn run(interpreter: &str, scenarios: &[Scenario]) -> BTreeMap<String, Run> {
    let python = environment().join("bin/python");
    let folder = tempfile::tempdir().unwrap();
    let mut tool = Command::new(python)
        .arg(root().join("tests/tools/second_opinion.py"))
        .arg(interpreter)
        .arg(folder.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let machines: BTreeMap<_, _> = super::MACHINES.iter().map(|name| (*name, definition(name))).collect();
    let scenarios: BTreeMap<_, _> = scenarios.iter().map(|scenario| (scenario.name, scenario.to_json())).collect();
    let job = json!({ "machines": machines, "functions": FUNCTIONS, "scenarios": scenarios });
    // Kept open until the end: the tool kills its interpreter and itself when it closes, also when this test is killed.
    let mut stdin = tool.stdin.take().unwrap();
    writeln!(stdin, "{job}").unwrap();
    let output = tool.wait_with_output().unwrap();
    drop(stdin);
    assert!(
        output.status.success(),
        "{interpreter} gave no opinion: {}\nits log ends with:\n{}",
        String::from_utf8_lossy(&output.stderr),
        last_lines(&folder.path().join(format!("{interpreter}.log")))
    );
    let results: BTreeMap<String, Value> = serde_json::from_slice(&output.stdout).unwrap();
    results.into_iter().map(|(name, run)| (name, Run::from_json(&run))).collect()
}

fn last_lines(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_else(|error| error.to_string());
    let lines: Vec<_> = text.lines().collect();
    lines[lines.len().saturating_sub(40)..].join("\n")
}

/// The virtual environment with the pinned packages; made on the first use, and again when the pins change.
pub(crate) fn environment() -> PathBuf {
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _guard = ONE_AT_A_TIME.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let pins = read("tests/tools/requirements.txt");
    let tools = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("it is in the target folder").join("tools");
    let finished = tools.join("second-opinions");
    let is_current = || std::fs::read_to_string(finished.join("pins")).is_ok_and(|found| found == pins);
    if is_current() {
        return finished;
    }
    std::fs::create_dir_all(&tools).unwrap();
    // Made aside and renamed, so that one that was interrupted is never taken for a whole one.
    let aside = tools.join(format!("second-opinions-{}", std::process::id()));
    if let Err(problem) = install(&aside) {
        let _ = std::fs::remove_dir_all(&aside);
        panic!("{problem}");
    }
    std::fs::write(aside.join("pins"), &pins).unwrap();
    let _ = std::fs::remove_dir_all(&finished);
    if std::fs::rename(&aside, &finished).is_err() {
        // Another test run was faster.
        assert!(is_current(), "cannot put the environment into {}", finished.display());
        std::fs::remove_dir_all(&aside).unwrap();
    }
    finished
}

fn install(folder: &Path) -> Result<(), String> {
    let requirements = root().join("tests/tools/requirements.txt");
    run_to_success(Command::new("python3").args(["-m", "venv"]).arg(folder), "make a virtual environment")?;
    let mut pip = Command::new(folder.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--timeout", "30", "--retries", "2"]);
    run_to_success(pip.arg("--requirement").arg(requirements), "install ministack and moto from PyPI")
}

fn run_to_success(command: &mut Command, purpose: &str) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("cannot {purpose}: {command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    Err(format!("cannot {purpose}; the second opinions need Python 3 and PyPI: {command:?}: {words}"))
}
