//! The fields of a document, as its schema describes them.

use serde_json::Value;

/// One field.
pub(crate) struct Field {
    /// Where it is, such as `services[].schedule[].weight`.
    pub(crate) path: String,
    /// Its type, its bounds and its unit.
    pub(crate) kind: String,
    /// Its default, or that it is required.
    pub(crate) default: String,
    /// What it does.
    pub(crate) meaning: String,
    /// What each of its words means, where they need a table.
    pub(crate) words: Vec<(String, String)>,
}

/// All fields, those of an object after the object; what is required comes first, then by name.
pub(crate) fn fields_of(root: &Value) -> Vec<Field> {
    let mut found = Vec::new();
    walk(root, "", root, &mut found);
    found
}

fn resolved<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    schema["$ref"].as_str().map_or(schema, |reference| root.pointer(&reference[1..]).unwrap())
}

fn walk(schema: &Value, path: &str, root: &Value, found: &mut Vec<Field>) {
    let schema = resolved(schema, root);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let mut properties: Vec<(&String, &Value)> = schema["properties"].as_object().into_iter().flatten().collect();
    properties.sort_by_key(|(name, _)| required.iter().position(|one| one == name).unwrap_or(usize::MAX));
    for (name, inner) in properties {
        let dot = if path.is_empty() { "" } else { "." };
        let place = format!("{path}{dot}{name}");
        found.push(Field {
            kind: kind(inner, root),
            default: match &inner["default"] {
                Value::Null if required.contains(&name.as_str()) => "required".to_owned(),
                Value::Null => "none".to_owned(),
                default => format!("`{}`", default.as_str().map_or_else(|| shortest(default), str::to_owned)),
            },
            meaning: inner["description"].as_str().unwrap_or_default().to_owned(),
            words: words(inner),
            path: place.clone(),
        });
        walk(inner, &place, root, found);
    }
    for alternative in ["oneOf", "anyOf"] {
        schema[alternative].as_array().into_iter().flatten().for_each(|one| walk(one, path, root, found));
    }
    // What a list of targets may hold is described with the list.
    if !schema["items"].is_null() && !path.contains("newTargets.") {
        walk(&schema["items"], &format!("{path}[]"), root, found);
    }
}

fn words(schema: &Value) -> Vec<(String, String)> {
    let words = schema["x-words"].as_object().into_iter().flatten();
    words.map(|(word, meaning)| (word.clone(), meaning.as_str().unwrap().to_owned())).collect()
}

/// A number without an empty fraction; anything else as JSON.
fn shortest(value: &Value) -> String {
    value.as_f64().map_or_else(|| value.to_string(), |number| number.to_string())
}

/// The type of a field in words: `whole number, 1 to 1000 targets`.
fn kind(schema: &Value, root: &Value) -> String {
    match schema["$ref"].as_str() {
        Some("#/$defs/duration") => return format!("duration, {}", schema["x-range"].as_str().unwrap()),
        Some("#/$defs/texts") => return "list of names".to_owned(),
        Some("#/$defs/hook") => return "function name".to_owned(),
        _ => {}
    }
    let schema = resolved(schema, root);
    if !schema["x-words"].is_null() {
        return "a word of the table below".to_owned();
    }
    if let Some(words) = schema["enum"].as_array() {
        let words: Vec<String> = words.iter().map(|word| format!("`{}`", word.as_str().unwrap())).collect();
        return words.join(", ");
    }
    if let Some(alternatives) = schema["oneOf"].as_array().filter(|_| schema["type"].is_null()) {
        let kinds: Vec<String> = alternatives.iter().map(|one| kind(one, root)).collect();
        return kinds.join(", or ");
    }
    if !schema["const"].is_null() {
        return format!("`{}`", schema["const"]);
    }
    let unit = schema["x-unit"].as_str().map_or(String::new(), |unit| format!(" {unit}"));
    let range = match (&schema["minimum"], &schema["maximum"]) {
        (Value::Null, _) | (_, Value::Null) => unit,
        (least, most) => format!(", {} to {}{unit}", shortest(least), shortest(most)),
    };
    match schema["type"].as_str() {
        Some("integer") => format!("whole number{range}"),
        Some("number") => format!("number{range}"),
        Some("boolean") => "boolean".to_owned(),
        Some("array") => match kind(&schema["items"], root).as_str() {
            "object" => "list of objects".to_owned(),
            item if item.starts_with('`') => format!("list of {item}"),
            _ => "list".to_owned(),
        },
        Some("string") if schema["pattern"] == "^(100|[0-9]{1,2}) *%$" => "a share such as `\"5%\"`".to_owned(),
        Some("string") => "text".to_owned(),
        Some("object") => "object".to_owned(),
        other => panic!("{other:?}: no words for {schema}"),
    }
}
