//! Measures function binaries: the time from the start of the process to its first poll of the Runtime API, the memory
//! it has needed until then, and its size.
//!
//! ```text
//! measure FOLDER [--runs N] [--bounds] [NAME ...]
//! ```
//!
//! `FOLDER` holds the binaries, `hello-world` among them; without names, all of `functions/` are measured. It says
//! which goals are missed; with `--bounds` it fails where a function is past what functions are today. Every process is
//! started `N` times (21 if left out), in turns, so that whatever else the machine does hits all of them alike. A busy
//! machine may hit the best start of one of them all the same: what is past its bound is started `N` times more, up to
//! ten times over, before that counts.

mod process;
mod table;

use process::{Measured, Runtime, measure};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// What everything is compared with.
const HELLO_WORLD: &str = "hello-world";
/// How many times all starts are repeated while something is past its bound.
const MOST_REPEATS: usize = 10;
const USAGE: &str = "usage: measure FOLDER [--runs N] [--bounds] [NAME ...]";

/// What was asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    folder: PathBuf,
    runs: usize,
    bounds: bool,
    names: Vec<String>,
}

impl Request {
    fn parse(arguments: impl Iterator<Item = String>) -> Option<Self> {
        let mut request = Self { folder: PathBuf::new(), runs: 21, bounds: false, names: Vec::new() };
        let mut places = Vec::new();
        let mut arguments = arguments;
        while let Some(argument) = arguments.next() {
            match argument.as_str() {
                "--runs" => request.runs = arguments.next()?.parse().ok().filter(|runs| *runs > 0)?,
                "--bounds" => request.bounds = true,
                other if other.starts_with('-') => return None,
                _ => places.push(argument),
            }
        }
        let mut places = places.into_iter();
        request.folder = places.next()?.into();
        request.names = places.collect();
        Some(request)
    }
}

fn main() -> ExitCode {
    let Some(mut request) = Request::parse(std::env::args().skip(1)) else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    if request.names.is_empty() {
        request.names = functions();
    }
    request.names.retain(|name| name != HELLO_WORLD);
    request.names.insert(0, HELLO_WORLD.to_owned());
    let missing: Vec<&str> =
        request.names.iter().filter(|name| !request.folder.join(name).is_file()).map(String::as_str).collect();
    if !missing.is_empty() {
        eprintln!("{} has no {}; build with --release first", request.folder.display(), missing.join(", "));
        return ExitCode::from(2);
    }
    match all(&request) {
        Ok(measured) => {
            let (text, missed) = table::of(&measured, table::GOALS);
            say(&text);
            for miss in &missed {
                eprintln!("missed goal: {miss}");
            }
            let (_, passed) = table::of(&measured, table::BOUNDS);
            for bound in &passed {
                eprintln!("past its bound: {bound}");
            }
            if request.bounds && !passed.is_empty() { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

#[expect(clippy::print_stdout, reason = "the table is what the command is for")]
fn say(text: &str) {
    print!("{text}");
}

/// The names of the deployed functions.
fn functions() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../functions");
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

/// Every binary with what all of its starts have shown.
fn all(request: &Request) -> Result<Vec<(String, Measured)>, process::MeasureError> {
    let runtime = Runtime::bind()?;
    let mut starts: BTreeMap<&str, Vec<process::Start>> = BTreeMap::new();
    // The first start warms the page cache and does not count.
    for name in &request.names {
        measure(&runtime, &request.folder.join(name))?;
    }
    let mut repeats = 0;
    loop {
        for _ in 0..request.runs {
            for name in &request.names {
                starts.entry(name).or_default().push(measure(&runtime, &request.folder.join(name))?);
            }
        }
        let measured = |name: &String| Ok((name.clone(), Measured::of(&request.folder.join(name), &starts[&**name])?));
        let measured = request.names.iter().map(measured).collect::<Result<Vec<_>, _>>()?;
        let (_, passed) = table::of(&measured, table::BOUNDS);
        if !request.bounds || passed.is_empty() || repeats == MOST_REPEATS {
            return Ok(measured);
        }
        repeats += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Option<Request> {
        Request::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_request_names_a_folder_and_perhaps_functions() {
        let expected =
            Request { folder: "target/release".into(), runs: 5, bounds: true, names: vec!["roll-back".into()] };
        assert_eq!(parse("target/release --runs 5 --bounds roll-back"), Some(expected));
        assert_eq!(parse("folder").map(|request| request.runs), Some(21));
        for bad in ["", "--runs", "folder --runs 0", "folder --fast"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn every_deployed_function_is_measured() {
        let functions = functions();
        assert!(functions.len() >= 10 && functions.contains(&"shift-weight".to_owned()), "{functions:?}");
    }
}
