//! Reads a policy file in YAML or JSON, and reports every problem at once.

mod place;

use crate::ending::failure::Failure;
use crossfade_domain::policy::document::check_fleet;
use crossfade_domain::policy::problem::Problem;
use crossfade_domain::policy::service_policy::FleetPolicy;
use place::line_of;
use serde::Serialize;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
use std::fmt::Write as _;
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

/// A problem of a policy, and where a person finds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlacedProblem {
    /// The path in the document; empty for the document itself.
    pub path: String,
    /// The line of the path or, if that is missing, of what should have it.
    pub line: Option<usize>,
    /// The name of the service that has the problem.
    pub service: Option<String>,
    /// What was found and what was expected.
    pub message: String,
}

impl fmt::Display for PlacedProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        f.write_str(&self.message)?;
        match (&self.line, &self.service) {
            (Some(line), Some(service)) => write!(f, " (line {line}, service {service})"),
            (Some(line), None) => write!(f, " (line {line})"),
            (None, _) => Ok(()),
        }
    }
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
        Err(error) => Err(Failure::bad_input(format!("{name} is not YAML: {}", in_words(&error, &text)))),
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
    document.policy().map_err(|problems| {
        let count = problems.len();
        let mut text = format!("{} has {count} problem{}", file.display(), if count == 1 { "" } else { "s" });
        for problem in &problems {
            write!(text, "\n  {problem}").expect("writing to a string succeeds");
        }
        Failure::bad_input(text)
    })
}

impl Document {
    /// Decodes a fleet's policy.
    ///
    /// # Errors
    /// Every problem, with its place.
    pub fn policy(&self) -> Result<FleetPolicy, Vec<PlacedProblem>> {
        check_fleet(&self.value)
            .map_err(|problems| problems.0.into_iter().map(|problem| self.placed(problem)).collect())
    }

    fn placed(&self, Problem { path, message }: Problem) -> PlacedProblem {
        let index = path.strip_prefix("services[").and_then(|rest| rest.split_once(']')?.0.parse::<usize>().ok());
        let service = index.and_then(|index| self.value["services"][index]["name"].as_str()).map(str::to_owned);
        PlacedProblem { line: line_of(&self.text, &path), path, service, message }
    }
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
