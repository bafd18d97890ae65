//! Every field of what is copied or written, held against the service model as the SDK has it: a field that AWS adds is
//! noticed here, and not when it is lost.

use aws_sdk_elasticloadbalancingv2::operation::create_target_group::CreateTargetGroupInput;
use aws_sdk_elasticloadbalancingv2::types::{
    Action, ForwardActionConfig, Matcher, Rule, TargetGroup, TargetGroupStickinessConfig, TargetGroupTuple,
};
use std::collections::BTreeSet;
use std::fmt::Debug;

/// The settings of a group, which its copy gets.
const COPIED: [&str; 16] = [
    "health_check_enabled",
    "health_check_interval_seconds",
    "health_check_path",
    "health_check_port",
    "health_check_protocol",
    "health_check_timeout_seconds",
    "healthy_threshold_count",
    "ip_address_type",
    "matcher",
    "port",
    "protocol",
    "protocol_version",
    "target_control_port",
    "target_type",
    "unhealthy_threshold_count",
    "vpc_id",
];

/// The fields of a shape: those in its debug output that are indented once.
fn fields(shape: &impl Debug) -> BTreeSet<String> {
    let shown = format!("{shape:#?}");
    let lines = shown.lines().filter_map(|line| line.strip_prefix("    "));
    let names = lines.filter(|line| !line.starts_with(' ')).filter_map(|line| line.split_once(": "));
    names.map(|(name, _)| name.to_owned()).collect()
}

/// The fields of a shape are those that this version copies, and others, each for its reason.
#[track_caller]
fn check(shape: &impl Debug, known: &[&[&str]]) {
    let known: BTreeSet<String> = known.concat().into_iter().map(str::to_owned).collect();
    assert_eq!(fields(shape), known);
}

#[test]
fn every_setting_of_a_group_is_copied() {
    // Each group has its own.
    let own = ["load_balancer_arns", "target_group_arn", "target_group_name"];
    check(&TargetGroup::builder().build(), &[&COPIED, &own]);
    check(&CreateTargetGroupInput::builder().build().unwrap(), &[&COPIED, &["name", "tags"]]);
    check(&Matcher::builder().build(), &[&["grpc_code", "http_code"]]);
}

#[test]
fn every_part_of_a_rule_is_written_back_or_left_to_aws() {
    // `ModifyRule` keeps what it is not sent.
    let kept = ["conditions", "is_default", "priority", "rule_arn", "transforms"];
    check(&Rule::builder().build(), &[&["actions"], &kept]);
    let settings = [
        "authenticate_cognito_config",
        "authenticate_oidc_config",
        "fixed_response_config",
        "forward_config",
        "jwt_validation_config",
        "order",
        "redirect_config",
        "type",
    ];
    // A forward to one group, which `forward_config` says as well.
    check(&Action::builder().build(), &[&settings, &["target_group_arn"]]);
    check(&ForwardActionConfig::builder().build(), &[&["target_group_stickiness_config", "target_groups"]]);
    check(&TargetGroupTuple::builder().build(), &[&["target_group_arn", "weight"]]);
    check(&TargetGroupStickinessConfig::builder().build(), &[&["duration_seconds", "enabled"]]);
}
