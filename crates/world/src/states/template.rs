//! Payload templates: `Parameters`, `ResultSelector`, `ItemSelector`.

use super::path::ReferencePath;
use serde_json::{Map, Value};

/// A JSON value in which the fields that end in `.$` are read from a path.
#[derive(Debug, Clone, PartialEq)]
pub enum Template {
    /// A value without a path in it.
    Literal(Value),
    /// Whatever is at the path.
    Path(ReferencePath),
    /// An object of templates.
    Object(Vec<(String, Template)>),
    /// A list of templates.
    List(Vec<Template>),
}

/// A path of a template that leads nowhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MissingPath {
    /// The field as it is written in the definition.
    pub field: String,
    /// The path that was followed.
    pub path: String,
}

impl Template {
    /// Reads a template; `problem` gets the JSON path below the template's own and the reason of everything refused.
    pub fn parse(template: &Value, in_map: bool, at: &str, problem: &mut dyn FnMut(String, String)) -> Self {
        match template {
            Value::Object(fields) => Self::Object(
                fields.iter().map(|(name, value)| parse_field(fields, name, value, in_map, at, problem)).collect(),
            ),
            Value::Array(elements) => Self::List(
                elements
                    .iter()
                    .enumerate()
                    .map(|(index, element)| Self::parse(element, in_map, &format!("{at}[{index}]"), problem))
                    .collect(),
            ),
            literal => Self::Literal(literal.clone()),
        }
    }

    /// The template with its paths followed in `input` and `context`.
    pub fn fill(&self, input: &Value, context: &Value) -> Result<Value, MissingPath> {
        Ok(match self {
            Self::Literal(value) => value.clone(),
            Self::Path(path) => path
                .get(input, context)
                .cloned()
                .ok_or_else(|| MissingPath { field: String::new(), path: path.to_string() })?,
            Self::Object(fields) => {
                let mut object = Map::new();
                for (name, template) in fields {
                    let value = template.fill(input, context).map_err(|mut missing| {
                        if missing.field.is_empty() {
                            missing.field = format!("{name}.$");
                        }
                        missing
                    })?;
                    object.insert(name.clone(), value);
                }
                Value::Object(object)
            }
            Self::List(elements) => {
                Value::Array(elements.iter().map(|element| element.fill(input, context)).collect::<Result<_, _>>()?)
            }
        })
    }
}

fn parse_field(
    fields: &Map<String, Value>,
    name: &str,
    value: &Value,
    in_map: bool,
    at: &str,
    problem: &mut dyn FnMut(String, String),
) -> (String, Template) {
    let here = format!("{at}.{name}");
    let Some(plain) = name.strip_suffix(".$") else {
        return (name.to_owned(), Template::parse(value, in_map, &here, problem));
    };
    if fields.contains_key(plain) {
        problem(here.clone(), format!("`{plain}` is given twice, as a value and as a path"));
    }
    let template = match value.as_str().map(ReferencePath::parse) {
        Some(Ok(path)) => {
            if path.reads_context() && !path.is_known_context(in_map) {
                problem(here, format!("`{path}` is not in the portable part of the context object"));
            }
            Template::Path(path)
        }
        Some(Err(error)) => {
            problem(here, error.to_string());
            Template::Literal(Value::Null)
        }
        None => {
            problem(here, "a field that ends in `.$` holds a path".to_owned());
            Template::Literal(Value::Null)
        }
    };
    (plain.to_owned(), template)
}
