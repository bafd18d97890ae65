//! Which of the targets registered in a new group belong to this attempt.

use super::group::{HealthState, Target, TargetHealth};
use std::net::IpAddr;

/// The targets registered in a new group, divided by what the policy lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// Those of this attempt, with their health.
    pub listed: Vec<TargetHealth>,
    /// Those that the policy does not list: an earlier attempt left them, or someone else registered them. One that is
    /// being deregistered gets no new requests and is in neither list.
    pub unlisted: Vec<Target>,
}

impl Membership {
    /// Divides the registered targets. `listed` is `None` where a controller registers them: then all belong to this
    /// attempt. A target without a port of its own has the group's.
    ///
    /// An address is compared with its port, because the network gives addresses of pods that are gone to pods of other
    /// services.
    pub fn of(listed: Option<&[Target]>, group_port: u16, registered: &[TargetHealth]) -> Self {
        let is_listed = |target: &Target| {
            listed.is_none_or(|listed| listed.iter().any(|one| is_same_target(one, target, group_port)))
        };
        let (listed, unlisted): (Vec<&TargetHealth>, Vec<&TargetHealth>) =
            registered.iter().partition(|one| is_listed(&one.target));
        let unlisted = unlisted.into_iter().filter(|one| one.state != HealthState::Draining);
        Self {
            unlisted: unlisted.map(|one| one.target.clone()).collect(),
            listed: listed.into_iter().cloned().collect(),
        }
    }
}

/// Whether both are one target of a group with this port. An IPv6 address has more than one way to be written.
pub fn is_same_target(one: &Target, other: &Target, group_port: u16) -> bool {
    let same_id = match (one.id.parse::<IpAddr>(), other.id.parse::<IpAddr>()) {
        (Ok(one), Ok(other)) => one == other,
        _ => one.id == other.id,
    };
    same_id && one.port.unwrap_or(group_port) == other.port.unwrap_or(group_port)
}

/// `10.0.1.5:8080, 10.0.1.6:8080 and 3 more`.
pub fn named(targets: &[Target]) -> String {
    const MOST_NAMED: usize = 5;
    let names: Vec<String> = targets.iter().take(MOST_NAMED).map(ToString::to_string).collect();
    let names = names.join(", ");
    match targets.len().saturating_sub(MOST_NAMED) {
        0 => names,
        more => format!("{names} and {more} more"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(id: &str, port: Option<u16>) -> Target {
        Target { id: id.to_owned(), port }
    }

    fn registered(id: &str, port: u16, state: HealthState) -> TargetHealth {
        TargetHealth { target: target(id, Some(port)), state, reason: None }
    }

    #[test]
    fn a_target_belongs_to_the_attempt_by_its_id_and_its_port() {
        #[track_caller]
        fn check(listed: &[Target], id: &str, port: u16, expected: bool) {
            let health = [registered(id, port, HealthState::Healthy)];
            let found = Membership::of(Some(listed), 8080, &health);
            assert_eq!((found.listed.len(), found.unlisted.len()), (usize::from(expected), usize::from(!expected)));
        }
        check(&[target("i-1", Some(30080))], "i-1", 30080, true);
        check(&[target("i-1", Some(30080))], "i-1", 30090, false);
        check(&[target("i-1", None)], "i-1", 8080, true);
        check(&[target("i-1", None)], "i-1", 8081, false);
        check(&[target("i-2", None)], "i-1", 8080, false);
        check(&[target("2001:db8:0:0::7", None)], "2001:db8::7", 8080, true);
    }

    #[test]
    fn what_a_controller_registers_all_belongs_and_what_drains_is_no_stranger() {
        let health = [registered("i-1", 80, HealthState::Healthy), registered("i-2", 80, HealthState::Draining)];
        assert_eq!(Membership::of(None, 80, &health).listed, health);
        let of_nothing = Membership::of(Some(&[]), 80, &health);
        assert_eq!(of_nothing.unlisted, [target("i-1", Some(80))]);
        assert_eq!(of_nothing.listed, []);
    }

    #[test]
    fn a_long_list_is_named_in_part() {
        let many: Vec<Target> = (1..=7).map(|number| target(&format!("10.0.0.{number}"), Some(80))).collect();
        assert_eq!(named(&many[..2]), "10.0.0.1:80, 10.0.0.2:80");
        assert!(named(&many).ends_with("10.0.0.5:80 and 2 more"));
        assert_eq!(named(&[target("2001:db8::7", Some(80))]), "[2001:db8::7]:80");
    }
}
