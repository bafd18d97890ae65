//! Change calendars of Systems Manager: `calendars: [change-freeze]`.

use crate::policy::reader::{Place, Reader};
use serde_json::{Value, json};

/// Each look reads every one of them.
const MOST: usize = 10;

/// Names and ARNs of change calendars, each once.
pub(super) fn calendars(reader: &mut Reader, place: &Place<'_>) -> Option<Vec<String>> {
    let what = "a list of change calendars such as [change-freeze]";
    let places = reader.list(place, what)?;
    if places.len() > MOST {
        reader.note(&place.path, format!("{} calendars: expected at most {MOST}", places.len()));
    }
    let mut names: Vec<String> = Vec::new();
    for place in &places {
        let Some(name) = reader.text(place, "the name or the ARN of a change calendar") else { continue };
        if !is_calendar(&name) {
            let what = "a name of 3 to 128 letters, digits, \".\", \"_\" and \"-\", or an ARN such as \
                        arn:aws:ssm:eu-west-1:123456789012:document/change-freeze";
            reader.note(&place.path, format!("{name:?}: expected {what}"));
        } else if names.contains(&name) {
            reader.note(&place.path, format!("{name:?} is listed twice: expected each calendar once"));
        }
        names.push(name);
    }
    Some(names)
}

/// `change-freeze`, or `arn:aws:ssm:eu-west-1:123456789012:document/change-freeze`.
fn is_calendar(name: &str) -> bool {
    let is_name = |name: &str| {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"_.-".contains(&byte);
        (3..=128).contains(&name.len()) && name.bytes().all(allowed)
    };
    let Some(arn) = name.strip_prefix("arn:") else { return is_name(name) };
    let word = |part: &str| part.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    match arn.splitn(5, ':').collect::<Vec<_>>()[..] {
        [partition, "ssm", region, account, document] => {
            [partition, region].iter().all(|part| !part.is_empty() && word(part))
                && account.len() == 12
                && account.bytes().all(|byte| byte.is_ascii_digit())
                && document.strip_prefix("document/").is_some_and(is_name)
        }
        _ => false,
    }
}

/// The schema of `windows.calendars`.
pub(super) fn schema() -> Value {
    let name = "[A-Za-z0-9_.-]{3,128}";
    let arn = format!("arn:[a-z0-9-]+:ssm:[a-z0-9-]+:[0-9]{{12}}:document/{name}");
    json!({
        "type": "array", "maxItems": MOST, "uniqueItems": true,
        "description": "Change calendars of Systems Manager, by name or ARN. Traffic is raised only while each of \
                        them is open.",
        "items": { "type": "string", "pattern": format!("^({name}|{arn})$") },
    })
}

#[cfg(test)]
mod tests {
    use super::super::decode_service;
    use serde_json::json;

    #[test]
    fn every_problem_of_a_calendar_has_its_path() {
        let expected = "expected a name of 3 to 128 letters, digits, \".\", \"_\" and \"-\", or an ARN such as \
                        arn:aws:ssm:eu-west-1:123456789012:document/change-freeze";
        let of_another_service = "arn:aws:s3:eu-west-1:123456789012:document/change-freeze";
        let of_no_account = "arn:aws:ssm:eu-west-1::document/change-freeze";
        let no_document = "arn:aws:ssm:eu-west-1:123456789012:parameter/change-freeze";
        let policy = json!({
            "name": "users", "oldTargetGroups": "g", "newTargets": { "instances": ["i-1", "i-2"] },
            "windows": { "timeZone": "UTC", "calendars": [
                "ab", "year end", 7, of_another_service, of_no_account, no_document, "a-b", "a-b", "c-1", "c-2", "c-3",
            ] },
        });
        let problems = decode_service(&policy).unwrap_err().0;
        assert_eq!(
            problems.iter().map(ToString::to_string).collect::<Vec<_>>(),
            [
                "windows.calendars: 11 calendars: expected at most 10".to_owned(),
                format!("windows.calendars[0]: \"ab\": {expected}"),
                format!("windows.calendars[1]: \"year end\": {expected}"),
                "windows.calendars[2]: 7: expected the name or the ARN of a change calendar".to_owned(),
                format!("windows.calendars[3]: {of_another_service:?}: {expected}"),
                format!("windows.calendars[4]: {of_no_account:?}: {expected}"),
                format!("windows.calendars[5]: {no_document:?}: {expected}"),
                "windows.calendars[7]: \"a-b\" is listed twice: expected each calendar once".to_owned(),
            ],
        );
    }
}
