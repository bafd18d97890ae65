//! Names of new target groups.

use crate::names::{ServiceName, TargetGroupArn};
use sha2::{Digest, Sha256};

/// The longest name of a target group.
const LONGEST: usize = 32;
/// Hexadecimal digits of the hash that makes a name unique.
const HASH: usize = 8;

/// The name of the new group that copies `old`: as much of the service's name as fits, and eight digits that differ for
/// each old group. Every attempt gives the same name, so a repeated creation finds its own group.
pub fn new_group_name(service: &ServiceName, old: &TargetGroupArn) -> String {
    named(service, &format!("{service}\n{old}"))
}

/// The name of the copy of an old group that a service's internal route needs on another load balancer.
pub fn internal_group_name(stack: &str, service: &ServiceName) -> String {
    named(service, &format!("{stack}\n{service}\ninternal route"))
}

fn named(service: &ServiceName, unique: &str) -> String {
    let digest = Sha256::digest(unique);
    let hash = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    let fitting: String = service.as_str().replace('_', "-").chars().take(LONGEST - HASH - 1).collect();
    format!("{}-{hash:0HASH$x}", fitting.trim_end_matches('-'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn group(name: &str) -> TargetGroupArn {
        TargetGroupArn::parse(format!("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/{name}/1")).unwrap()
    }

    #[test]
    fn a_name_tells_services_and_groups_apart() {
        let name = |service: &str, old: &str| new_group_name(&ServiceName::parse(service).unwrap(), &group(old));
        assert_eq!(name("users", "a"), name("users", "a"));
        assert_ne!(name("users", "a"), name("users", "b"));
        assert_ne!(name("us-ers", "a"), name("us_ers", "a"));
        let long = "a-service-whose-name-is-long-and-ends-in";
        assert_ne!(name(&format!("{long}-one"), "a"), name(&format!("{long}-two"), "a"));
    }

    #[test]
    fn the_copy_of_an_old_group_has_a_name_of_its_own_in_each_stack() {
        let users = ServiceName::parse("users").unwrap();
        assert_eq!(internal_group_name("crossfade", &users), internal_group_name("crossfade", &users));
        assert_ne!(internal_group_name("crossfade", &users), internal_group_name("staging", &users));
        assert_ne!(internal_group_name("crossfade", &users), new_group_name(&users, &group("users-swarm")));
    }

    proptest! {
        #[test]
        fn every_name_is_one_that_aws_takes(service in "[A-Za-z][A-Za-z0-9_-]{0,46}[A-Za-z0-9]", old in "[a-z]{1,32}") {
            let name = new_group_name(&ServiceName::parse(service).unwrap(), &group(&old));
            prop_assert!(name.len() <= LONGEST);
            prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'));
            prop_assert!(!name.starts_with('-') && !name.ends_with('-'));
        }
    }
}
