//! A policy in a file: YAML or JSON, with every problem at once.

use crate::failure::Failure;
use crossfade_domain::policy::FleetPolicy;
use crossfade_domain::policy_document::decode_fleet;
use serde_json::Value;
use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

/// Reads a document; `-` is standard input. JSON is YAML.
///
/// # Errors
/// The file cannot be read, or is not YAML.
pub fn read(file: &Path) -> Result<Value, Failure> {
    let name = file.display();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| Failure::bad_input(format!("cannot read {name}: {error}")))?;
    serde_yaml_ng::from_str(&text).map_err(|error| Failure::bad_input(format!("{name} is not YAML: {error}")))
}

/// Decodes a fleet's policy.
///
/// # Errors
/// Every problem on a line of its own, with its place.
pub fn decode(file: &Path, document: &Value) -> Result<FleetPolicy, Failure> {
    decode_fleet(document).map_err(|problems| {
        let count = problems.0.len();
        let mut text = format!("{} has {count} problem{}", file.display(), if count == 1 { "" } else { "s" });
        for problem in &problems.0 {
            write!(text, "\n  {problem}").expect("a string takes whatever is written");
        }
        Failure::bad_input(text)
    })
}
