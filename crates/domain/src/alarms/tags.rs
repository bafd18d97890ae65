//! Names the alarms of a migration in the tags of its new target groups. An alarm finds what it guards by them when the
//! table does not answer.
//!
//! A tag's key contains a hash of the alarm's name, because a name may have characters that AWS allows in no tag. Its
//! value is the time since when the migration holds its locks, and as much of the name as a tag can show.

use crate::load_balancer::group::Tags;
use crate::opinion::Gate;
use crate::plan::Plan;
use jiff::Timestamp;
use sha2::{Digest, Sha256};

/// The beginning of every such key.
pub const PREFIX: &str = "crossfade:alarm-";
/// Says that the alarms of a group's migration only observe.
pub const OBSERVED: &str = "crossfade:alarm-observed";
/// The most alarms that are named in tags: a resource has 50 tags, and some are ours and some the account's.
pub const MAX_NAMED_ALARMS: usize = 40;
/// The longest value of a tag.
const LONGEST_VALUE: usize = 256;

/// The key under which a group says that an alarm guards it.
pub fn key(alarm: &str) -> String {
    let digest = Sha256::digest(alarm);
    let hash = digest.iter().take(8).fold(0_u64, |hash, byte| hash << 8 | u64::from(*byte));
    format!("{PREFIX}{hash:016x}")
}

/// Whether a group's tags name an alarm.
pub fn is_guarded(tags: &Tags) -> bool {
    tags.keys().any(|key| key.starts_with(PREFIX))
}

/// The tags of a plan's alarms. Where they only observe, none is named, so that none finds the groups, and one tag says
/// so to a rollback that an alarm has asked for.
pub fn of_plan(plan: &Plan, since: Timestamp) -> Tags {
    if plan.policy.gates.observes(&Gate::Alarms) {
        return Tags::from([(OBSERVED.to_owned(), since.to_string())]);
    }
    tags(&plan.alarms(), since)
}

/// The tags of a migration that took its locks at `since`, for the first [`MAX_NAMED_ALARMS`] of its alarms.
pub fn tags(alarms: &[String], since: Timestamp) -> Tags {
    alarms.iter().take(MAX_NAMED_ALARMS).map(|alarm| (key(alarm), value(alarm, since))).collect()
}

fn value(alarm: &str, since: Timestamp) -> String {
    let since = Timestamp::from_second(since.as_second()).unwrap_or(since);
    let shown = |c: char| if c.is_ascii_alphanumeric() || "+-=._:/@".contains(c) { c } else { '_' };
    format!("{since} {}", alarm.chars().map(shown).collect::<String>()).chars().take(LONGEST_VALUE).collect()
}

/// The time since when the migration holds its locks, to the second; `None` if someone else wrote the value.
pub fn since(value: &str) -> Option<Timestamp> {
    value.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_says_since_when_an_alarm_guards_whatever_its_name() {
        let at = Timestamp::from_millisecond(1_800_000_000_900).unwrap();
        for name in ["users-5xx", "Users (prod) \u{2192} 5xx, <10%>", &"long".repeat(64)] {
            let tags = tags(&[name.to_owned()], at);
            let value = &tags[&key(name)];
            assert!(value.len() <= 256 && value.is_ascii(), "{value}");
            assert_eq!(since(value), Timestamp::from_second(1_800_000_000).ok());
        }
        assert_ne!(key("users-5xx"), key("users-latency"));
        assert_eq!(since("by hand"), None);
    }

    #[test]
    fn no_more_alarms_are_named_than_a_resource_has_room_for() {
        let names: Vec<String> = (0..60).map(|number| format!("alarm-{number}")).collect();
        assert_eq!(tags(&names, Timestamp::UNIX_EPOCH).len(), MAX_NAMED_ALARMS);
    }
}
