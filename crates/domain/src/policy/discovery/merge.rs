//! Adds services to the text of a policy, without changing a byte of what is there.

use serde_json::Value;

/// Why a text takes no new services.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MergeError {
    /// There is no key `services` at the beginning of a line.
    #[error("no line begins with `services:`; add one, with a service in it")]
    NoServices,
    /// Services stand in brackets, so a line after them would be no part of them.
    #[error("the services are in brackets; write each on its own line, beginning with `-`")]
    Flow,
}

/// The names of the services of a document.
pub fn names_in(document: &Value) -> Vec<String> {
    services(document).filter_map(|service| service["name"].as_str()).map(str::to_owned).collect()
}

/// The old target groups that the services of a document name, each by name or ARN.
pub fn groups_in(document: &Value) -> Vec<String> {
    let groups = services(document).flat_map(|service| match &service["oldTargetGroups"] {
        Value::Array(groups) => groups.iter().filter_map(Value::as_str).collect(),
        other => other.as_str().into_iter().collect::<Vec<_>>(),
    });
    groups.map(str::to_owned).collect()
}

fn services(document: &Value) -> impl Iterator<Item = &Value> {
    document["services"].as_array().into_iter().flatten()
}

/// The text with these lines, which are indented by two, after its last service.
///
/// # Errors
/// The text has no list of services to which a line can be added.
pub fn append(text: &str, lines: &[String]) -> Result<String, MergeError> {
    if lines.is_empty() {
        return Ok(text.to_owned());
    }
    let (mut at, mut inside, mut end, mut indent) = (0, false, None, None);
    for line in text.split_inclusive('\n') {
        at += line.len();
        let content = line.trim_end();
        let begins_item = content.trim_start().starts_with('-');
        if let Some(rest) = content.strip_prefix("services:") {
            let rest = rest.trim_start();
            if !rest.is_empty() && !rest.starts_with('#') {
                return Err(MergeError::Flow);
            }
            (inside, end) = (true, Some(at));
        } else if inside && !content.is_empty() {
            let is_indented = content.starts_with([' ', '\t']);
            if is_indented || begins_item && !content.starts_with("---") {
                end = Some(at);
                if indent.is_none() && begins_item {
                    indent = Some(content.len() - content.trim_start().len());
                }
            } else if !content.starts_with('#') {
                inside = false;
            }
        }
    }
    let end = end.ok_or(MergeError::NoServices)?;
    let newline = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let margin = " ".repeat(indent.unwrap_or(2));
    let mut added = String::new();
    if !text[..end].ends_with('\n') {
        added.push_str(newline);
    }
    for line in lines {
        added.push_str(&margin);
        added.push_str(line.strip_prefix("  ").unwrap_or(line));
        added.push_str(newline);
    }
    Ok([&text[..end], &added, &text[end..]].concat())
}
