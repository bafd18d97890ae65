//! Who may change target groups that are not ours.

use super::rights::{ON_OUR_GROUPS, actions, statements};
use super::{at, expect_intrinsic, intrinsic, resource, template};

/// The roles that may, each with the actions.
pub(crate) const ON_OLD_GROUPS: [(&str, &[&str]); 2] = [
    ("DeleteTargetGroupRole", &["elasticloadbalancing:DeleteTargetGroup"]),
    ("DetachTargetGroupRole", &["elasticloadbalancing:DeregisterTargets", "elasticloadbalancing:RegisterTargets"]),
];

#[test]
fn invariant_12_only_what_retires_may_empty_or_delete_old_groups_and_only_those_that_the_parameter_names() {
    let template = template();
    for (name, allowed) in ON_OLD_GROUPS {
        let role = resource(&template, name, "AWS::IAM::Role");
        let mut found = Vec::new();
        for statement in statements(role) {
            let on_groups: Vec<_> = actions(statement).into_iter().filter(|one| ON_OUR_GROUPS.contains(one)).collect();
            if !on_groups.is_empty() {
                let [group] = &at(statement, "Resource").as_sequence().unwrap()[..] else { panic!("{name}") };
                assert!(
                    intrinsic(group).unwrap().1.ends_with(":targetgroup/${OldTargetGroups}/*"),
                    "{name}: {group:?}"
                );
                let own =
                    at(statement, "Condition.StringEqualsIfExists").get("aws:ResourceTag/crossfade:stack").unwrap();
                expect_intrinsic(own, "Ref", "AWS::StackName");
            }
            found.extend(on_groups);
        }
        assert_eq!(found, allowed, "{name}");
    }
}
