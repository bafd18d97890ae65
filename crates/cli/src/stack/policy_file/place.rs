//! Finds the line of a place such as `services[0].minHealthy` in the text of a document.

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use std::fmt;

/// The error that ends the search. The parser adds the position to it.
const FOUND: &str = "the place was found";

/// One step of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Key(String),
    Index(usize),
}

/// Returns the line, from 1, of the place or, if it is missing, of the innermost part that exists.
pub(super) fn line_of(text: &str, path: &str) -> Option<usize> {
    let parts = parts(path);
    (1..=parts.len()).rev().find_map(|length| found(text, &parts[..length]))
}

fn parts(path: &str) -> Vec<Part> {
    let names = path.split(['.', '[']).filter(|name| !name.is_empty());
    let part = |name: &str| match name.strip_suffix(']').map(str::parse) {
        Some(Ok(index)) => Part::Index(index),
        _ => Part::Key(name.to_owned()),
    };
    names.map(part).collect()
}

fn found(text: &str, parts: &[Part]) -> Option<usize> {
    let error = Search(parts).deserialize(serde_yaml_ng::Deserializer::from_str(text)).err()?;
    if error.to_string().contains(FOUND) { Some(error.location()?.line()) } else { None }
}

/// Ends with an error at the place that the parts lead to, and without one if there is none.
struct Search<'a>(&'a [Part]);

impl<'de> DeserializeSeed<'de> for Search<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Search<'_> {
    /// What a value without inner places is: the place itself, or a dead end.
    fn leaf<E: serde::de::Error>(&self) -> Result<(), E> {
        if self.0.is_empty() { Err(E::custom(FOUND)) } else { Ok(()) }
    }
}

impl<'de> Visitor<'de> for Search<'_> {
    type Value = ();

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("any value")
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.leaf()
    }

    fn visit_none<E: serde::de::Error>(self) -> Result<(), E> {
        self.leaf()
    }

    fn visit_bool<E: serde::de::Error>(self, _: bool) -> Result<(), E> {
        self.leaf()
    }

    fn visit_u64<E: serde::de::Error>(self, _: u64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_f64<E: serde::de::Error>(self, _: f64) -> Result<(), E> {
        self.leaf()
    }

    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        self.leaf()
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let Some((Part::Index(wanted), rest)) = self.0.split_first() else { return self.leaf() };
        for _ in 0..*wanted {
            if items.next_element::<IgnoredAny>()?.is_none() {
                return Ok(());
            }
        }
        items.next_element_seed(Search(rest))?;
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let Some((Part::Key(wanted), rest)) = self.0.split_first() else { return self.leaf() };
        while let Some(is_wanted) = entries.next_key_seed(Key { wanted, is_last: rest.is_empty() })? {
            if is_wanted {
                entries.next_value_seed(Search(rest))?;
            } else {
                entries.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// Says whether a key is the wanted one. The last one of a path is the place: its value may begin on a later line.
struct Key<'a> {
    wanted: &'a str,
    is_last: bool,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = bool;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<bool, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = bool;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a key that is text")
    }

    fn visit_str<E: serde::de::Error>(self, key: &str) -> Result<bool, E> {
        match key == self.wanted {
            true if self.is_last => Err(E::custom(FOUND)),
            is_wanted => Ok(is_wanted),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "fleet: eks
services:
  - name: users
    schedule:
      - { weight: 10, bake: 5m }
      - weight: 101
    newTargets:
      ips: [10.0.0.1,
        10.0.0.x]
  - name: orders
";

    #[test]
    fn each_place_has_its_line() {
        for (path, line) in [
            ("fleet", 1),
            ("services[0]", 3),
            ("services[0].schedule", 4),
            ("services[0].schedule[0].bake", 5),
            ("services[0].schedule[1].weight", 6),
            ("services[0].newTargets", 7),
            ("services[0].newTargets.ips[1]", 9),
            ("services[1].name", 10),
        ] {
            assert_eq!(line_of(TEXT, path), Some(line), "{path}");
        }
        let json = "{\n \"services\": [\n  {\"name\": \"users\",\n   \"minHealthy\": 0}]}";
        assert_eq!(line_of(json, "services[0].minHealthy"), Some(4));
    }

    #[test]
    fn a_missing_place_has_the_line_of_what_should_have_it() {
        assert_eq!(line_of(TEXT, "services[1].oldTargetGroups"), Some(10));
        assert_eq!(line_of(TEXT, "services[7].name"), Some(2));
        assert_eq!(line_of(TEXT, "rollout.canary"), None);
        assert_eq!(line_of(TEXT, ""), None);
    }
}
