//! A machine's definition: the file of `DefinitionUri`, with the `DefinitionSubstitutions` in it.

use super::WiringError;
use super::resolver::Resolver;
use serde_json::Value;
use std::path::Path;

pub(super) fn read(resolver: &Resolver<'_>, folder: &Path, logical_id: &str) -> Result<Value, WiringError> {
    let path = format!("Resources.{logical_id}.Properties");
    let mut definition = match resolver.property(logical_id, "DefinitionUri")? {
        Some(Value::String(file)) => read_file(&folder.join(file))?,
        Some(other) => {
            return Err(WiringError::unresolved(format!("{path}.DefinitionUri"), format!("{other} is no file")));
        }
        None => resolver
            .property(logical_id, "Definition")?
            .ok_or_else(|| WiringError::unresolved(&path, "`DefinitionUri` or `Definition` is missing"))?,
    };
    let substitutions = resolver.property(logical_id, "DefinitionSubstitutions")?.unwrap_or_default();
    substitute(&mut definition, &substitutions, &format!("{path}.DefinitionSubstitutions"))?;
    Ok(definition)
}

fn read_file(file: &Path) -> Result<Value, WiringError> {
    let text = std::fs::read_to_string(file).map_err(|source| WiringError::Read { file: file.to_owned(), source })?;
    serde_json::from_str(&text).map_err(|source| WiringError::Json { file: file.to_owned(), source })
}

fn substitute(value: &mut Value, substitutions: &Value, path: &str) -> Result<(), WiringError> {
    match value {
        Value::String(text) => {
            *text = substituted(text, substitutions, path)?;
            Ok(())
        }
        Value::Array(elements) => elements.iter_mut().try_for_each(|element| substitute(element, substitutions, path)),
        Value::Object(fields) => fields.values_mut().try_for_each(|field| substitute(field, substitutions, path)),
        Value::Null | Value::Bool(_) | Value::Number(_) => Ok(()),
    }
}

fn substituted(text: &str, substitutions: &Value, path: &str) -> Result<String, WiringError> {
    let mut result = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let (name, remaining) = after
            .split_once('}')
            .ok_or_else(|| WiringError::unresolved(path, format!("`${{` is not closed in `{text}`")))?;
        let value = substitutions
            .get(name)
            .ok_or_else(|| WiringError::unresolved(path, format!("nothing is given for `{name}`")))?;
        result.push_str(before);
        result.push_str(&value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        rest = remaining;
    }
    result.push_str(rest);
    Ok(result)
}
