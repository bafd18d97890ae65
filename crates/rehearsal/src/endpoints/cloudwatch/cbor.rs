//! Converts CBOR to JSON trees and back. Timestamps are tag 1 on the wire and epoch seconds in the tree.

use ciborium::Value as Cbor;
use crossfade_world::aws_error::AwsError;
use serde_json::{Map, Number, Value};

/// CBOR's tag for epoch-based times.
const EPOCH_TAG: u64 = 1;
/// Members that hold timestamps.
const TIMESTAMPS: [&str; 5] = [
    "Timestamp",
    "Timestamps",
    "StateUpdatedTimestamp",
    "StateTransitionedTimestamp",
    "AlarmConfigurationUpdatedTimestamp",
];

pub(super) fn decode(body: &[u8]) -> Result<Value, AwsError> {
    if body.is_empty() {
        return Ok(Value::Object(Map::new()));
    }
    let wrong = |detail: String| AwsError::bad_request("SerializationException", detail);
    let cbor: Cbor = ciborium::from_reader(body).map_err(|error| wrong(error.to_string()))?;
    to_json(cbor).ok_or_else(|| wrong("a value is not allowed in a request".to_owned()))
}

pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    ciborium::into_writer(&to_cbor(value, false), &mut bytes).expect("a tree in memory can be written to memory");
    bytes
}

fn to_json(cbor: Cbor) -> Option<Value> {
    Some(match cbor {
        Cbor::Null => Value::Null,
        Cbor::Bool(truth) => Value::Bool(truth),
        Cbor::Integer(integer) => i64::try_from(integer).ok()?.into(),
        Cbor::Float(number) => Number::from_f64(number)?.into(),
        Cbor::Text(text) => Value::String(text),
        Cbor::Tag(EPOCH_TAG, seconds) => to_json(*seconds)?,
        Cbor::Array(items) => Value::Array(items.into_iter().map(to_json).collect::<Option<_>>()?),
        Cbor::Map(entries) => Value::Object(
            entries
                .into_iter()
                .map(|(key, value)| Some((key.into_text().ok()?, to_json(value)?)))
                .collect::<Option<_>>()?,
        ),
        _ => return None,
    })
}

fn to_cbor(value: &Value, is_time: bool) -> Cbor {
    match value {
        Value::Null => Cbor::Null,
        Value::Bool(truth) => Cbor::Bool(*truth),
        Value::Number(number) if is_time => {
            Cbor::Tag(EPOCH_TAG, Box::new(Cbor::Float(number.as_f64().unwrap_or_default())))
        }
        Value::Number(number) => match number.as_i64() {
            Some(integer) => Cbor::Integer(integer.into()),
            None => Cbor::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => Cbor::Text(text.clone()),
        Value::Array(items) => Cbor::Array(items.iter().map(|item| to_cbor(item, is_time)).collect()),
        Value::Object(members) => Cbor::Map(
            members
                .iter()
                .map(|(name, member)| (Cbor::Text(name.clone()), to_cbor(member, TIMESTAMPS.contains(&name.as_str()))))
                .collect(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn trees_survive_the_wire_and_times_are_tagged() {
        let tree = json!({"Values": [1.0, 2.5], "Timestamps": [1.8e9], "Id": "m1", "Count": 3, "Flag": true});
        let bytes = encode(&tree);
        assert_eq!(decode(&bytes).unwrap(), tree);
        let cbor: Cbor = ciborium::from_reader(bytes.as_slice()).unwrap();
        let tagged = cbor.as_map().unwrap().iter().find(|(key, _)| key.as_text() == Some("Timestamps")).unwrap();
        assert!(matches!(tagged.1.as_array().unwrap()[0], Cbor::Tag(1, _)));
        assert!(decode(&[0xff, 0x00]).is_err());
    }
}
