//! Reads a policy file in YAML or JSON, and reports every problem at once.

mod place;

use crate::ending::failure::Failure;
use crate::ending::file_problems::{FileProblems, PlacedProblem};
use crossfade_domain::journal::wording::counted;
use crossfade_domain::policy::document::{check_fleet, warnings};
use crossfade_domain::policy::problem::{Problem, Problems};
use crossfade_domain::policy::service_policy::FleetPolicy;
use place::line_of;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::io::Read as _;
use std::path::Path;

/// A document as a person wrote it.
#[derive(Debug)]
pub struct Document {
    /// What it says.
    pub value: Value,
    /// Its text, for the lines of problems.
    text: String,
}

/// Reads a document; `-` is standard input. JSON is YAML.
///
/// # Errors
/// The file cannot be read, or is not YAML.
pub fn read(file: &Path) -> Result<Document, Failure> {
    let name = file.display();
    let text = if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(file)
    };
    let text = text.map_err(|error| Failure::bad_input(format!("cannot read {name}: {error}")))?;
    // Some editors of Windows write a byte order mark, after which the parser would expect a second document.
    let text = text.strip_prefix('\u{feff}').map_or_else(|| text.clone(), str::to_owned);
    if text.trim().is_empty() {
        return Err(Failure::bad_input(format!("{name} is empty")));
    }
    // Without this check, a repeated key would silently replace the first one.
    let unique: Result<Unique, _> = serde_yaml_ng::from_str(&text);
    match unique {
        Ok(Unique(Value::Null)) => Err(Failure::bad_input(format!(
            "{name} has no content but comments: expected `fleet` and `services`, as in examples/policy.yaml"
        ))),
        Ok(Unique(value)) => Ok(Document { value, text }),
        Err(error) => {
            let message = format!("{name} is not YAML: {}", in_words(&error, &text));
            Err(not_yaml(&name.to_string(), message, &error))
        }
    }
}

/// Says what is wrong with the text, in words for someone who does not know how a parser works.
fn in_words(error: &serde_yaml_ng::Error, text: &str) -> String {
    let said = error.to_string();
    let line = error.location().map_or(0, |location| location.line());
    let indent =
        text.lines().nth(line.saturating_sub(1)).map_or("", |line| &line[..line.len() - line.trim_start().len()]);
    if indent.contains('\t') {
        return format!("line {line} begins with a tab: YAML indents with spaces only");
    }
    if said.contains("more than one document") {
        return "it has several documents (`---`): a fleet's policy is one".to_owned();
    }
    said
}

/// Decodes a fleet's policy.
///
/// # Errors
/// Each problem on its own line, with its place.
pub fn decode(file: &Path, document: &Document) -> Result<FleetPolicy, Failure> {
    check_fleet(&document.value).map_err(|Problems(problems)| {
        let headline = format!("{} has {}", file.display(), counted(problems.len(), "problem"));
        let problems = problems.into_iter().map(|problem| document.placed(problem)).collect();
        Failure::of_file(&headline, FileProblems { file: file.display().to_string(), problems })
    })
}

impl Document {
    /// What a policy of this document leaves to chance although it is valid.
    pub fn warnings(&self, policy: &FleetPolicy) -> Vec<PlacedProblem> {
        warnings(policy).into_iter().map(|warning| self.placed(warning)).collect()
    }

    fn placed(&self, problem: Problem) -> PlacedProblem {
        placed(&self.text, &self.value, problem)
    }
}

/// Finds a problem's line in the text of its document, and its service.
pub fn placed(text: &str, document: &Value, Problem { path, message }: Problem) -> PlacedProblem {
    let index = path.strip_prefix("services[").and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
    let service = index.and_then(|index| document["services"][index]["name"].as_str()).map(str::to_owned);
    PlacedProblem { line: line_of(text, &path), path, service, message }
}

/// A file that is not YAML: what is wrong, and the line where the parser stopped.
pub fn not_yaml(file: &str, message: String, error: &serde_yaml_ng::Error) -> Failure {
    let line = error.location().map(|location| location.line());
    let problem = PlacedProblem { path: String::new(), line, service: None, message: message.clone() };
    let in_file = FileProblems { file: file.to_owned(), problems: vec![problem] };
    Failure { in_file: Some(in_file), ..Failure::bad_input(message) }
}

/// A document without repeated keys.
struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueKeys).map(Self)
    }
}

struct UniqueKeys;

impl<'de> Visitor<'de> for UniqueKeys {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a value that JSON knows, with keys that are text")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    /// The value of a document that has only comments.
    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        let mut map = Map::new();
        while let Some(key) = entries.next_key::<String>()? {
            if key == "<<" {
                return Err(A::Error::custom(
                    "merge keys (`<<`) are not supported: write what services share in `defaults`",
                ));
            }
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("the key {key:?} is repeated")));
            }
            let Unique(value) = entries.next_value()?;
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_key_is_refused_with_its_place() {
        let twice = "fleet: f\nservices:\n  - name: users\n    alarms: [a]\n    alarms: []\n";
        let error = serde_yaml_ng::from_str::<Unique>(twice).map(|_| ()).unwrap_err().to_string();
        assert!(error.contains("\"alarms\" is repeated") && error.contains("line"), "{error}");
        let json = serde_yaml_ng::from_str::<Unique>("{\"a\": 1, \"a\": 2}");
        assert!(json.is_err());
        let Unique(right) = serde_yaml_ng::from_str("{a: [1, -2, 1.5, true, null, x]}").unwrap();
        assert_eq!(right, serde_json::json!({"a": [1, -2, 1.5, true, null, "x"]}));
    }
}
