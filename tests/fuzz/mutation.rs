//! Input that is nearly right, or not at all.

use rand::seq::IndexedRandom as _;
use rand::{Rng as _, RngCore as _};
use rand_chacha::ChaCha8Rng;
use serde_json::{Map, Value, json};

/// What has broken parsers before: numbers at their limits, markup, anchors, text of more than one byte.
const TOKENS: [&[u8]; 26] = [
    b"null",
    b"true",
    b"-1",
    b"-0.0",
    b"1e999",
    b"18446744073709551616",
    b"4294967296",
    b"NaN",
    b"\"\"",
    b"[",
    b"{",
    b"}",
    b"]",
    b"&a ",
    b"*a",
    b"<<: *a\n",
    b"!!binary ",
    b"\t",
    b"\xEF\xBB\xBF",
    b"\xFF\xFE",
    b"\0",
    b"&#0;",
    b"<![CDATA[",
    "\u{1F600}\u{301}".as_bytes(),
    b"- - - - ",
    b"0x1F",
];

/// Bytes of any kind.
pub(super) fn any_bytes(rng: &mut ChaCha8Rng) -> Vec<u8> {
    let mut bytes = vec![0; rng.random_range(0..200)];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// The bytes with a few changes.
pub(super) fn bytes(rng: &mut ChaCha8Rng, original: &[u8]) -> Vec<u8> {
    let mut bytes = original.to_vec();
    for _ in 0..rng.random_range(1..=4) {
        let at = rng.random_range(0..=bytes.len());
        let end = (at + rng.random_range(0..40)).min(bytes.len());
        match rng.random_range(0..7) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..end)),
            2 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            3 => {
                let token = TOKENS.choose(rng).expect("there are tokens");
                bytes.splice(at..at, token.iter().copied());
            }
            4 => {
                let token = TOKENS.choose(rng).expect("there are tokens");
                bytes.splice(at..end, token.iter().copied());
            }
            5 if at < bytes.len() => bytes[at] = rng.random(),
            _ if at < bytes.len() => bytes[at] ^= 1 << rng.random_range(0..8),
            _ => {}
        }
    }
    bytes
}

/// The document with a few of its values changed, removed or renamed.
pub(super) fn document(rng: &mut ChaCha8Rng, original: &Value) -> Value {
    let mut document = original.clone();
    for _ in 0..rng.random_range(1..=3) {
        let mut places = Vec::new();
        pointers(&document, "", &mut places);
        let place = places.choose(rng).expect("the root is one").clone();
        let value = document.pointer_mut(&place).expect("it was found there");
        change(rng, value);
    }
    document
}

/// Any document: a value of any kind.
pub(super) fn any_document(rng: &mut ChaCha8Rng) -> Value {
    let mut value = odd(rng);
    for _ in 0..rng.random_range(0..6) {
        value = if rng.random_bool(0.5) {
            json!([odd(rng), value])
        } else {
            json!({text(rng): value, "service": odd(rng)})
        };
    }
    value
}

fn change(rng: &mut ChaCha8Rng, value: &mut Value) {
    match value {
        Value::Object(fields) if !fields.is_empty() && rng.random_bool(0.7) => {
            let keys: Vec<String> = fields.keys().cloned().collect();
            let key = keys.choose(rng).expect("there are fields");
            let taken = fields.remove(key).unwrap_or_default();
            match rng.random_range(0..3) {
                0 => {}
                1 => drop(fields.insert(text(rng), taken)),
                _ => drop(fields.insert(key.clone(), odd(rng))),
            }
        }
        Value::Array(items) if !items.is_empty() && rng.random_bool(0.7) => {
            let at = rng.random_range(0..items.len());
            let taken = items.remove(at);
            match rng.random_range(0..3) {
                0 => {}
                1 => items.extend([taken.clone(), taken]),
                _ => items.insert(at, odd(rng)),
            }
        }
        Value::String(old) if rng.random_bool(0.6) => {
            *value = String::from_utf8_lossy(&bytes(rng, old.as_bytes())).into_owned().into();
        }
        other => *other = odd(rng),
    }
}

fn odd(rng: &mut ChaCha8Rng) -> Value {
    match rng.random_range(0..14) {
        0 => Value::Null,
        1 => rng.random::<bool>().into(),
        2 => rng.random::<i64>().into(),
        3 => rng.random::<u64>().into(),
        4 => rng.random_range(-2..200).into(),
        5 => json!(rng.random::<f64>() * 1e6),
        6 => json!(f64::MAX),
        7 => json!([]),
        8 => json!({}),
        9 => "x".repeat(rng.random_range(0..600)).into(),
        10 => json!({"service": {"name": []}}),
        11 => (0..rng.random_range(1..60)).fold(Value::Null, |inner, _| json!([inner])),
        12 => Value::Object((0..rng.random_range(1..40)).map(|_| (text(rng), Value::Null)).collect::<Map<_, _>>()),
        _ => text(rng).into(),
    }
}

fn text(rng: &mut ChaCha8Rng) -> String {
    String::from_utf8_lossy(&any_bytes(rng)[..]).chars().take(12).collect()
}

fn pointers(value: &Value, at: &str, found: &mut Vec<String>) {
    found.push(at.to_owned());
    let escaped = |key: &str| key.replace('~', "~0").replace('/', "~1");
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| pointers(value, &format!("{at}/{}", escaped(key)), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| pointers(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
}
