//! YAML documents below lines of comment.

use crate::ending::failure::Failure;
use serde_json::Value;

/// A document with its comment, one line each, without `#`.
pub(super) fn document(notes: &[String], document: &Value) -> Result<String, Failure> {
    let text = serde_yaml_ng::to_string(document).map_err(|error| Failure::of(&error))?;
    let comment = |note: &String| if note.starts_with('#') { format!("{note}\n") } else { format!("# {note}\n") };
    Ok(notes.iter().map(comment).collect::<String>() + text.trim_end())
}
