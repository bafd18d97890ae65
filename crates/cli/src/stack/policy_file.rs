//! Reads a policy file in YAML or JSON, and reports every problem at once.

use crate::ending::failure::Failure;
use crossfade_domain::policy::document::check_fleet;
use crossfade_domain::policy::service_policy::FleetPolicy;
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};
use std::fmt;
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
    if text.trim().is_empty() {
        return Err(Failure::bad_input(format!("{name} is empty")));
    }
    // Without this check, a repeated key would silently replace the first one.
    let unique: Result<Unique, _> = serde_yaml_ng::from_str(&text);
    unique.map(|Unique(document)| document).map_err(|error| Failure::bad_input(format!("{name} is not YAML: {error}")))
}

/// Decodes a fleet's policy.
///
/// # Errors
/// Each problem on its own line, with its place.
pub fn decode(file: &Path, document: &Value) -> Result<FleetPolicy, Failure> {
    check_fleet(document).map_err(|problems| {
        let count = problems.0.len();
        let mut text = format!("{} has {count} problem{}", file.display(), if count == 1 { "" } else { "s" });
        for problem in &problems.0 {
            write!(text, "\n  {problem}").expect("writing to a string succeeds");
        }
        Failure::bad_input(text)
    })
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
