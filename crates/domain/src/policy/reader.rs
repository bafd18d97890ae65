//! Reads a JSON document piece by piece without stopping at the first problem.
//!
//! A reader returns `None` after it has noted a problem; the caller continues with the next field.

use crate::policy::problem::{Problem, Problems, did_you_mean};
use serde_json::{Map, Value};

/// Collects problems while a document is read.
#[derive(Debug, Default)]
pub struct Reader {
    problems: Vec<Problem>,
}

/// An object of the document and where it is.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    fields: &'a Map<String, Value>,
    path: String,
}

/// A value of the document and where it is.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    /// The value.
    pub value: &'a Value,
    /// Its path in the document.
    pub path: String,
}

impl<'a> Place<'a> {
    /// The document itself.
    pub fn root(value: &'a Value) -> Self {
        Self { value, path: String::new() }
    }
}

impl<'a> Object<'a> {
    /// Whether the object has the field.
    pub fn has(&self, field: &str) -> bool {
        self.fields.contains_key(field)
    }

    /// The field, if the object has it.
    pub fn get(&self, field: &str) -> Option<Place<'a>> {
        self.fields.get(field).map(|value| Place { value, path: self.path_of(field) })
    }

    /// The path of a field.
    pub fn path_of(&self, field: &str) -> String {
        if self.path.is_empty() { field.to_owned() } else { format!("{}.{field}", self.path) }
    }
}

impl Reader {
    /// Notes a problem.
    pub fn note(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.problems.push(Problem { path: path.into(), message: message.into() });
    }

    /// The decoded value, unless there were problems.
    pub fn finish<T>(self, decoded: Option<T>) -> Result<T, Problems> {
        match decoded {
            Some(decoded) if self.problems.is_empty() => Ok(decoded),
            _ => Err(Problems(self.problems)),
        }
    }

    /// How many problems were noted so far.
    pub fn count(&self) -> usize {
        self.problems.len()
    }

    /// An object whose fields are all known.
    pub fn object<'a>(&mut self, place: &Place<'a>, known: &[&str], what: &str) -> Option<Object<'a>> {
        let Value::Object(fields) = place.value else {
            self.note(&place.path, wrong(place.value, what));
            return None;
        };
        let object = Object { fields, path: place.path.clone() };
        for field in fields.keys().filter(|field| !known.contains(&field.as_str())) {
            let near = did_you_mean(field, known.iter().copied());
            let message = if near.is_empty() {
                format!("unknown field; expected one of {}", known.join(", "))
            } else {
                format!("unknown field{near}")
            };
            self.note(object.path_of(field), message);
        }
        Some(object)
    }

    /// The fields of an object, whatever their names are.
    pub fn any_object<'a>(&mut self, place: &Place<'a>, what: &str) -> Option<Vec<(&'a str, Place<'a>)>> {
        let Value::Object(fields) = place.value else {
            self.note(&place.path, wrong(place.value, what));
            return None;
        };
        let object = Object { fields, path: place.path.clone() };
        let at = |(name, value): (&'a String, &'a Value)| (name.as_str(), Place { value, path: object.path_of(name) });
        Some(fields.iter().map(at).collect())
    }

    /// A field that must be there.
    pub fn required<'a>(&mut self, object: &Object<'a>, field: &str, what: &str) -> Option<Place<'a>> {
        let found = object.get(field);
        if found.is_none() {
            self.note(object.path_of(field), format!("missing: expected {what}"));
        }
        found
    }

    /// A list and the places of its items.
    pub fn list<'a>(&mut self, place: &Place<'a>, what: &str) -> Option<Vec<Place<'a>>> {
        let Value::Array(items) = place.value else {
            self.note(&place.path, wrong(place.value, what));
            return None;
        };
        let at = |(index, value)| Place { value, path: format!("{}[{index}]", place.path) };
        Some(items.iter().enumerate().map(at).collect())
    }

    /// A text that is not empty.
    pub fn text(&mut self, place: &Place<'_>, what: &str) -> Option<String> {
        match place.value {
            Value::String(text) if text.trim().is_empty() => {
                self.note(&place.path, format!("empty: expected {what}"));
                None
            }
            Value::String(text) => Some(text.clone()),
            other => {
                self.note(&place.path, wrong(other, what));
                None
            }
        }
    }

    /// A text that `parse` accepts; its error becomes the problem.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        place: &Place<'_>,
        what: &str,
        parse: impl FnOnce(String) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(place, what)?;
        match parse(text) {
            Ok(parsed) => Some(parsed),
            Err(error) => {
                self.note(&place.path, error.to_string());
                None
            }
        }
    }

    /// True or false.
    pub fn flag(&mut self, place: &Place<'_>) -> Option<bool> {
        let flag = place.value.as_bool();
        if flag.is_none() {
            self.note(&place.path, wrong(place.value, "true or false"));
        }
        flag
    }

    /// A whole number within bounds, both included.
    pub fn whole(&mut self, place: &Place<'_>, least: u32, most: u32) -> Option<u32> {
        let what = format!("a whole number from {least} to {most}");
        let number = place.value.as_u64().and_then(|number| u32::try_from(number).ok());
        let fitting = number.filter(|number| (least..=most).contains(number));
        if fitting.is_none() {
            self.note(&place.path, wrong(place.value, &what));
        }
        fitting
    }

    /// A number within bounds, both included.
    pub fn number(&mut self, place: &Place<'_>, least: f64, most: f64) -> Option<f64> {
        let fitting = place.value.as_f64().filter(|number| (least..=most).contains(number));
        if fitting.is_none() {
            self.note(&place.path, wrong(place.value, &format!("a number from {least} to {most}")));
        }
        fitting
    }

    /// One of a few words.
    pub fn word<T: Copy>(&mut self, place: &Place<'_>, words: &[(&str, T)]) -> Option<T> {
        let names: Vec<&str> = words.iter().map(|(name, _)| *name).collect();
        let text = self.text(place, &names.join(", "))?;
        let found = words.iter().find(|(name, _)| *name == text).map(|(_, value)| *value);
        if found.is_none() {
            let near = did_you_mean(&text, names.iter().copied());
            self.note(&place.path, format!("{text:?}: expected one of {}{near}", names.join(", ")));
        }
        found
    }

    /// A text, or a list of texts, each once.
    pub fn texts(&mut self, place: &Place<'_>, what: &str) -> Option<Vec<String>> {
        let items = if place.value.is_string() {
            vec![place.clone()]
        } else {
            self.list(place, &format!("{what}, or a list of them"))?
        };
        let before = self.count();
        let mut texts: Vec<String> = Vec::new();
        for item in &items {
            let Some(text) = self.text(item, what) else { continue };
            if texts.contains(&text) {
                self.note(&item.path, format!("{text:?} is in the list already"));
            }
            texts.push(text);
        }
        (self.count() == before).then_some(texts)
    }
}

/// Describes a value of the wrong type or out of range: what was found and what was expected.
pub fn wrong(value: &Value, what: &str) -> String {
    let found = match value {
        Value::Null => "null".to_owned(),
        Value::Bool(flag) => flag.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    };
    format!("{found}: expected {what}")
}
