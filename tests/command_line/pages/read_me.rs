//! The README, in the world of the rehearsal with which it begins.

use super::super::terminal::Kept;
use super::Reading;
use super::reader::Reader;
use crate::repository::read;
use serde_json::Value;

pub(super) const READINGS: [Reading; 1] = [("README.md", read_me)];

/// The services of the built-in scenario that the README names, each with the exit code of its end.
const SERVICES: [(&str, i32); 3] = [("users", 0), ("bookings", 3), ("reports", 7)];

/// The built-in scenario with these services alone, when all have ended.
pub(super) fn world() -> Kept {
    let mut scenario: Value = serde_yaml_ng::from_str(&read("examples/rehearsals/default.yaml")).unwrap();
    scenario["scale"] = 3600.into();
    let is_named = |service: &Value| SERVICES.iter().any(|(name, _)| service["name"] == *name);
    scenario["services"].as_array_mut().unwrap().retain(is_named);
    // JSON is YAML.
    let kept = Kept::start(&scenario.to_string());
    for (service, code) in SERVICES {
        kept.run_until(0, &format!("status {service}"));
        let ended = kept.run(&format!("wait {service}"));
        assert_eq!(ended.code, code, "{ended:#?}");
    }
    kept
}

fn read_me(reader: &mut Reader<'_>) {
    reader.section("Try it: two commands");
    for words in ["cargo install", "crossfade plan", "crossfade start", "crossfade watch", "crossfade abort"] {
        reader.types(words, 0);
    }
    reader.types("crossfade rollback", 0);
    // It refuses the service that has halted, as the page says.
    reader.types("crossfade fleet plan", 2);
}
