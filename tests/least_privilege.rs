//! Least privilege, proven: what each role of the template allows is held against what was really asked for.
//!
//! What was asked for comes from four places. The simulation says which function calls which verb of its ports, in
//! every scenario with every fault at every call. The verbs, called through `crates/aws` against the served world, say
//! what each is in the words of IAM. A rehearsal with the built binaries says the same directly. The template says what
//! AWS does with a role of its own accord: it writes logs, starts the functions of a machine, moves the records of a
//! pipe.

mod asked;
mod connections;
mod policy;
mod ports;
mod roles;
mod survey;

use self::asked::Asked;
use self::policy::{Statement, allows};
use self::roles::Holder;
use crate::fleets;
use crate::simulation::{self, Callers};
use crate::template::old_groups::ON_OLD_GROUPS;
use crate::template::template;
use crossfade_rehearsal::endpoints::access::IamAccess;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION};
use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

/// What functions call where no scenario of the simulation does: the function, the verbs, and where it is called. A
/// rehearsal with the built binaries holds those of its own policy to the roles again.
const ELSEWHERE: [(&str, &[&str], &str); 29] = [
    ("plan-migration", &["scaling_group", "is_refreshing"], "tests/stories/scaling_groups.rs"),
    ("check-fleet", &["scaling_group", "is_refreshing"], "its looks plan services as plan-migration does"),
    ("register-targets", &["scaling_group", "is_refreshing", "sources", "attach"], "tests/stories/scaling_groups.rs"),
    ("check-targets", &["sources"], "tests/stories/scaling_groups.rs"),
    ("roll-back", &["scaling_group", "detach"], "tests/stories/scaling_groups.rs"),
    ("react-to-alarm", &["scaling_group", "detach"], "tests/stories/scaling_groups.rs: a group that goes"),
    ("roll-back", &["rules", "delete_rule of a probe"], "tests/stories/probing.rs: a probe that is killed"),
    ("sweep-migrations", &["rules", "delete_rule of a probe"], "tests/stories/probing.rs: a halt in a probe"),
    ("check-fleet", &["alarm_tags", "firings"], "tests/stories/guarding.rs, tests/fleets/stopping.rs"),
    ("check-fleet", &["calendar"], "tests/fleets/windows.rs: the windows of a fleet name a calendar"),
    (
        "check-fleet",
        &["status of a migration", "status of a retirement"],
        "tests/fleets/every_call.rs: a start whose answer is lost",
    ),
    ("sweep-migrations", &["status of a rollback"], "tests/stories/abandoned.rs: a rollback whose execution died"),
    ("create-target-group", &["add_tags", "remove_tags"], "tests/stories/alarm_events.rs: a group that is adopted"),
    ("plan-migration", &["policies", "metric_data"], "a rehearsal: its policy is stored and has a judge"),
    ("plan-migration", &["firings"], "tests/stories/planning.rs: an alarm fires and clears while the locks are taken"),
    ("plan-migration", &["heads"], "tests/stories/order.rs: a service comes after another one"),
    (
        "plan-migration",
        &["alarm_tags"],
        "tests/stories/guarding.rs: someone else's alarm has the name of a guard alarm",
    ),
    ("check-targets", &["read_routes of default actions"], "tests/stories/shifting.rs: our group is in no route"),
    ("check-alarms", &["metric_data", "events"], "a rehearsal: its policy has a judge"),
    (
        "create-guard-alarms",
        &["alarms", "alarm_tags", "put_alarm"],
        "tests/stories/guarding.rs: a policy asks for guard alarms",
    ),
    ("check-idle", &["calendar"], "tests/retiring: the windows of a policy may name a calendar"),
    ("delete-target-group", &["calendar"], "the same"),
    ("detach-target-group", &["calendar"], "the same"),
    (
        "detach-target-group",
        &["read_routes of default actions", "write_route of a default action"],
        "a route of the migration may be a default action",
    ),
    ("roll-back", &["write_route of a default action"], "a rehearsal: the gates roll back a default action"),
    ("finish-migration", &["alarm_tags", "delete_alarms"], "tests/stories/guarding.rs"),
    (
        "roll-back",
        &["alarm_tags", "delete_alarms", "status of a migration", "status of a rollback"],
        "tests/stories/guarding.rs and hooks.rs",
    ),
    ("react-to-alarm", &["fleets", "record_fleet", "start_conductor"], "tests/fleets: an alarm of the fleet fires"),
    (
        "react-to-alarm",
        &["alarm_tags", "delete_alarms", "delete_group", "release", "groups_of_service", "all_guarded_groups"],
        "tests/stories: an alarm before the first change, and one while the table does not answer",
    ),
];
/// What each rehearsal has to ask for, so that what is said of it above is so.
pub(crate) const SEEN_WITH_A_JUDGE: &[(&str, &str)] = &[
    ("CheckAlarmsRole", "cloudwatch:GetMetricData"),
    ("CheckAlarmsRole", "dynamodb:Query"),
    ("FinishMigrationRole", "cloudwatch:GetMetricData"),
    ("FinishMigrationRole", "dynamodb:Query"),
    ("PlanMigrationRole", "cloudwatch:GetMetricData"),
    ("PlanMigrationRole", "dynamodb:Query"),
];
/// In the one with guard alarms of ours, of which one fires.
pub(crate) const SEEN_WITH_GUARDS: &[(&str, &str)] = &[
    ("CreateGuardAlarmsRole", "cloudwatch:PutMetricAlarm"),
    ("CreateGuardAlarmsRole", "cloudwatch:TagResource"),
    ("FinishMigrationRole", "cloudwatch:DeleteAlarms"),
    ("FinishMigrationRole", "cloudwatch:ListTagsForResource"),
    ("RollBackRole", "cloudwatch:DeleteAlarms"),
    ("RollBackRole", "cloudwatch:ListTagsForResource"),
];
/// In the one with probes.
pub(crate) const SEEN_WITH_PROBES: &[(&str, &str)] = &[
    ("PlanMigrationRole", "elasticloadbalancing:DescribeAccountLimits"),
    ("ProbeServiceRole", "elasticloadbalancing:AddTags"),
    ("ProbeServiceRole", "elasticloadbalancing:CreateRule"),
    ("ProbeServiceRole", "elasticloadbalancing:DeleteRule"),
];
/// In the one where the gates roll back services that have a listener's default action.
pub(crate) const SEEN_WITH_GATES: &[(&str, &str)] = &[("RollBackRole", "elasticloadbalancing:ModifyListener")];

/// Everything that is asked for in this repository, by whoever holds the right to it.
fn asked() -> Vec<Asked> {
    // Run once for all tests that look at it.
    static CALLERS: LazyLock<Callers> = LazyLock::new(simulation::callers);
    static OF_CONNECTIONS: LazyLock<Callers> = LazyLock::new(crate::stories::connecting::machine::callers);
    static OF_RETIREMENTS: LazyLock<Callers> = LazyLock::new(crate::retiring::callers);
    static OF_FLEETS: LazyLock<Callers> = LazyLock::new(fleets::callers);
    let template = template();
    let mut callers = CALLERS.clone();
    callers.extend(OF_FLEETS.iter().copied());
    callers.extend(OF_CONNECTIONS.iter().copied());
    callers.extend(OF_RETIREMENTS.iter().copied());
    callers.extend(ELSEWHERE.iter().flat_map(|(function, verbs, _)| verbs.iter().map(move |verb| (*function, *verb))));
    let mut all = asked::by_functions(&callers, &ports::accesses());
    all.extend(asked::by_lambda(&template));
    all.extend(asked::by_machines(&template));
    all.extend(asked::by_events(&template));
    all.extend(asked::by_integrations());
    all
}

/// What of the list is refused, in words.
fn refused(holders: &[Holder], asked: &[Asked]) -> Vec<String> {
    let of = |holder: &str| holders.iter().find(|known| known.name == holder);
    let refused = |one: &&Asked| !of(&one.holder).is_some_and(|holder| allows(&holder.statements, &one.access));
    asked.iter().filter(refused).map(|one| format!("{} may not {:?} ({})", one.holder, one.access, one.why)).collect()
}

/// The rights that nothing in the list needs: holder, action, resource.
fn unused(holders: &[Holder], asked: &[Asked]) -> Vec<String> {
    let mut unused = Vec::new();
    for holder in holders {
        let own: Vec<&Asked> = asked.iter().filter(|one| one.holder == holder.name).collect();
        for statement in &holder.statements {
            for part in statement.parts() {
                if !own.iter().any(|one| part.matches(&one.access)) {
                    unused.push(format!("{}: {} on {}", holder.name, part.actions[0], part.resources[0]));
                }
            }
        }
    }
    unused
}

/// Actions of which each is one that nobody here may ever do.
const NOBODY: [&str; 8] = [
    "dynamodb:DeleteTable",
    "dynamodb:Scan",
    "elasticloadbalancing:DeleteLoadBalancer",
    "iam:PassRole",
    "lambda:UpdateFunctionCode",
    "s3:GetObject",
    "states:UpdateStateMachine",
    "sts:AssumeRole",
];

#[test]
fn every_call_that_was_made_is_allowed_and_every_right_is_used() {
    let template = template();
    let (holders, asked) = (roles::holders(&template), asked());
    let refused = refused(&holders, &asked);
    assert!(refused.is_empty(), "calls that are made and not allowed:\n{}", refused.join("\n"));
    let unused = unused(&holders, &asked);
    assert!(
        unused.is_empty(),
        "rights that nothing uses; take them away, or say in ELSEWHERE where they are:\n{}",
        unused.join("\n")
    );
}

#[test]
fn without_any_one_statement_something_is_refused() {
    let template = template();
    let (holders, asked) = (roles::holders(&template), asked());
    assert_eq!(refused(&holders, &asked), Vec::<String>::new(), "with all of them nothing is");
    let mut tried = 0;
    for (index, holder) in holders.iter().enumerate() {
        for statement in 0..holder.statements.len() {
            let mut fewer = holders.clone();
            let removed = fewer[index].statements.remove(statement);
            let noticed = !refused(&fewer, &asked).is_empty();
            assert!(noticed, "{} does not need {removed:?}", holder.name);
            tried += 1;
        }
    }
    assert!(tried > 40, "{tried} statements");
}

#[test]
fn what_nobody_asked_for_is_denied() {
    let template = template();
    let (holders, asked) = (roles::holders(&template), asked());
    let denied = |holder: &Holder, access: &IamAccess| {
        assert!(!allows(&holder.statements, access), "{} may {access:?}", holder.name);
    };
    for holder in &holders {
        for action in NOBODY {
            denied(holder, &IamAccess::new(action, "*"));
            denied(holder, &IamAccess::new(action, "arn:aws:dynamodb:eu-west-1:000000000000:table/crossfade"));
        }
        for one in asked.iter().filter(|one| one.holder == holder.name && one.access.resource != "*") {
            // The same in another account, in another region, and on another thing of the same kind.
            let access = |resource: String| IamAccess { resource, ..one.access.clone() };
            denied(holder, &access(one.access.resource.replace(":000000000000:", ":111111111111:")));
            denied(holder, &access(one.access.resource.replace(":eu-west-1:", ":us-east-1:")));
            if one.access.resource.contains("crossfade") {
                denied(holder, &access(one.access.resource.replace("crossfade", "another")));
            }
            // What a condition looks at, missing or different.
            for (key, _) in one.access.context.iter().filter(|(key, _)| statement_looks_at(holder, &one.access, key)) {
                let mut without = one.access.clone();
                without.context.remove(key);
                if !conditions(holder, &one.access).any(|known| known.key == *key && known.may_be_missing()) {
                    denied(holder, &without);
                }
                if !conditions(holder, &one.access).any(|known| known.key == *key && known.takes_any_value()) {
                    denied(holder, &one.access.clone().with(key, "another"));
                }
            }
        }
    }
}

fn conditions<'a>(holder: &'a Holder, access: &'a IamAccess) -> impl Iterator<Item = &'a policy::Condition> {
    let own = holder.statements.iter().filter(|statement| statement.matches(access));
    own.flat_map(|statement| &statement.conditions)
}

fn statement_looks_at(holder: &Holder, access: &IamAccess, key: &str) -> bool {
    conditions(holder, access).any(|condition| condition.key == key)
}

#[test]
fn a_stack_may_change_its_own_groups_and_no_other_stacks() {
    let template = template();
    let holders = roles::holders(&template);
    let group = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/users-1/0");
    let changes = [
        "AddTags",
        "DeleteTargetGroup",
        "DeregisterTargets",
        "ModifyTargetGroup",
        "ModifyTargetGroupAttributes",
        "RegisterTargets",
        "RemoveTags",
    ];
    for action in changes.map(|change| format!("elasticloadbalancing:{change}")) {
        // The old groups that a service leaves are nobody's, and only its retirement may take them apart.
        let retires = |holder: &str| ON_OLD_GROUPS.iter().any(|(role, may)| *role == holder && may.contains(&&*action));
        let may = |of: &[(&str, &str)]| {
            let access = IamAccess::new(action.as_str(), group.as_str()).with("aws:TagKeys", "crossfade:alarm-1");
            let access = of.iter().fold(access, |access, (key, value)| access.with(*key, *value));
            let others = holders.iter().filter(|holder| !retires(&holder.name));
            let blue = of.contains(&("aws:ResourceTag/crossfade:stack", "blue"));
            let retiring = holders.iter().filter(|holder| blue && retires(&holder.name));
            others.chain(retiring).any(|holder| allows(&holder.statements, &access))
        };
        let ours = ("aws:ResourceTag/managed-by", "crossfade");
        assert!(may(&[ours, ("aws:ResourceTag/crossfade:stack", "crossfade")]), "{action}");
        assert!(may(&[ours]), "{action}: a group from before there was a tag for the stack");
        assert!(!may(&[ours, ("aws:ResourceTag/crossfade:stack", "blue")]), "{action}: the group of stack blue");
        assert!(!may(&[("aws:ResourceTag/crossfade:stack", "crossfade")]), "{action}: a group of somebody else");
        let takes = [ours, ("aws:TagKeys", "crossfade:alarm-1,managed-by")];
        assert!(!may(&takes) || !action.ends_with("Tags"), "{action}: nobody becomes ours by a tag");
    }
}

/// What functions called somewhere else in the simulation, held against the roles.
#[track_caller]
pub(crate) fn check_callers(callers: &Callers) {
    let holders = roles::holders(&template());
    let refused = refused(&holders, &asked::by_functions(callers, &ports::accesses()));
    assert!(refused.is_empty(), "calls that are made and not allowed:\n{}", refused.join("\n"));
}

/// What a rehearsal with the built binaries reported, held against the roles, and what has to be among it.
#[track_caller]
pub(crate) fn check_report(report: &Json, expected: &[(&str, &str)]) {
    let template = template();
    let holders = roles::holders(&template);
    let accesses: BTreeMap<String, BTreeSet<IamAccess>> = serde_json::from_value(report["accesses"].clone()).unwrap();
    let (mut of_functions, mut seen) = (0, BTreeSet::new());
    for (caller, accesses) in accesses {
        // The command itself is not a function.
        let Some(holder) = roles::of_function(&template, &caller) else { continue };
        let holder = holders.iter().find(|known| known.name == holder).unwrap();
        of_functions += 1;
        for access in accesses {
            assert!(allows(&holder.statements, &access), "{caller} asked for what it may not: {access:?}");
            seen.insert((holder.name.as_str(), access.action));
        }
    }
    assert!(of_functions >= 9, "only {of_functions} functions called AWS");
    for (holder, action) in expected {
        assert!(seen.contains(&(*holder, (*action).to_owned())), "the rehearsal does not ask for {action} of {holder}");
    }
}

#[test]
fn a_statement_is_read_as_aws_reads_it() {
    let statement = |json: &str| Statement::of(&serde_json::from_str(json).unwrap());
    let on_ours = statement(
        r#"{"Effect": "Allow", "Action": ["elasticloadbalancing:DeleteTargetGroup"],
            "Resource": ["arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/*/*"],
            "Condition": {"StringEquals": {"aws:ResourceTag/managed-by": "crossfade"}}}"#,
    );
    let group = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/users/0";
    let delete = IamAccess::new("elasticloadbalancing:DeleteTargetGroup", group);
    assert!(on_ours.matches(&delete.clone().with("aws:ResourceTag/managed-by", "crossfade")));
    assert!(!on_ours.matches(&delete.clone().with("aws:ResourceTag/managed-by", "Crossfade")), "case counts");
    assert!(!on_ours.matches(&delete), "a key that is missing is not equal");
    let elsewhere = IamAccess::new("elasticloadbalancing:DeleteTargetGroup", group.replace(":1:", ":2:"));
    assert!(!on_ours.matches(&elsewhere.with("aws:ResourceTag/managed-by", "crossfade")));

    let one = statement(
        r#"{"Effect": "Allow", "Action": "states:StartExecution", "Resource": "arn:aws:states:r:1:stateMachine:a"}"#,
    );
    assert!(one.matches(&IamAccess::new("states:StartExecution", "arn:aws:states:r:1:stateMachine:a")));
    assert!(!one.matches(&IamAccess::new("states:StartExecution", "*")), "a right on one thing is none on all");
    let all = statement(r#"{"Effect": "Allow", "Action": "elasticloadbalancing:DescribeRules", "Resource": "*"}"#);
    assert!(all.matches(&IamAccess::new("elasticloadbalancing:DescribeRules", "*")));

    let deny = statement(r#"{"Effect": "Deny", "Action": "states:StartExecution", "Resource": "*"}"#);
    let start = IamAccess::new("states:StartExecution", "arn:aws:states:r:1:stateMachine:a");
    assert!(allows(std::slice::from_ref(&one), &start));
    assert!(!allows(&[one, deny], &start), "a refusal beats every right");
}
