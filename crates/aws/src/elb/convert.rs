//! Actions, from AWS's shape to ours and back.

use super::settings::{self, UnwritableSetting};
use aws_sdk_elasticloadbalancingv2::types::{
    Action as SdkAction, ActionTypeEnum, ForwardActionConfig, TargetGroupStickinessConfig, TargetGroupTuple,
};
use crossfade_domain::load_balancer::action::{Action, ActionKind, Forward, GroupStickiness, WeightedGroup};
use crossfade_domain::names::{ParseIdError, TargetGroupArn};

/// Why an action cannot be written without losing a part of it.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unwritable {
    #[error("the route has no actions, and AWS takes an empty list for no change")]
    NoActions,
    #[error("an action of type {0:?} is unknown to this version")]
    UnknownType(String),
    #[error(transparent)]
    Setting(#[from] UnwritableSetting),
    #[error("a forward action whose weights add up to 0 answers every request with 503")]
    NoWeight,
}

/// Why a forward action could not be read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Unreadable {
    #[error(transparent)]
    Arn(#[from] ParseIdError),
    #[error("weight {0}: expected 0 to 999")]
    Weight(i32),
}

/// Reads a list of actions.
pub(super) fn from_sdk(actions: &[SdkAction]) -> Result<Vec<Action>, Unreadable> {
    actions.iter().map(action_from_sdk).collect()
}

/// The list to be written. All of it or nothing: what this version does not know, it must not write back.
pub(super) fn to_sdk(actions: &[Action]) -> Result<Vec<SdkAction>, Unwritable> {
    if actions.is_empty() {
        return Err(Unwritable::NoActions);
    }
    actions.iter().map(action_to_sdk).collect()
}

fn action_from_sdk(action: &SdkAction) -> Result<Action, Unreadable> {
    let kind = match &action.r#type {
        Some(ActionTypeEnum::Forward) => forward_from_sdk(action)?.map(ActionKind::Forward),
        Some(ActionTypeEnum::AuthenticateOidc) => {
            action.authenticate_oidc_config.as_ref().map(settings::oidc_from_sdk).map(ActionKind::AuthenticateOidc)
        }
        Some(ActionTypeEnum::AuthenticateCognito) => action
            .authenticate_cognito_config
            .as_ref()
            .map(settings::cognito_from_sdk)
            .map(ActionKind::AuthenticateCognito),
        Some(ActionTypeEnum::JwtValidation) => {
            action.jwt_validation_config.as_ref().map(settings::jwt_from_sdk).map(ActionKind::JwtValidation)
        }
        Some(ActionTypeEnum::Redirect) => {
            action.redirect_config.as_ref().map(settings::redirect_from_sdk).map(ActionKind::Redirect)
        }
        Some(ActionTypeEnum::FixedResponse) => {
            action.fixed_response_config.as_ref().map(settings::fixed_response_from_sdk).map(ActionKind::FixedResponse)
        }
        _ => None,
    };
    // An action without the settings of its type is as unknown as a type that this version has never heard of.
    let unknown = || {
        let name = action.r#type.as_ref().map_or("none", ActionTypeEnum::as_str);
        ActionKind::Unknown(name.to_owned())
    };
    Ok(Action { order: action.order, kind: kind.unwrap_or_else(unknown) })
}

/// A forward comes in three shapes: only a group's ARN (old rules), only a `ForwardConfig` (several groups), or both.
fn forward_from_sdk(action: &SdkAction) -> Result<Option<Forward>, Unreadable> {
    let config = action.forward_config.as_ref();
    let tuples = config.and_then(|config| config.target_groups.as_deref()).unwrap_or_default();
    let groups = if tuples.is_empty() {
        let Some(arn) = &action.target_group_arn else { return Ok(None) };
        vec![WeightedGroup { group: TargetGroupArn::parse(arn)?, weight: 1 }]
    } else {
        tuples.iter().map(group_from_sdk).collect::<Result<_, _>>()?
    };
    let stickiness = config.and_then(|config| config.target_group_stickiness_config.as_ref()).map(|stickiness| {
        GroupStickiness { enabled: stickiness.enabled.unwrap_or(false), duration_seconds: stickiness.duration_seconds }
    });
    Ok(Some(Forward { groups, stickiness }))
}

/// A weight that was never given is stored as 1; network load balancers report a lone group without one.
fn group_from_sdk(tuple: &TargetGroupTuple) -> Result<WeightedGroup, Unreadable> {
    let weight = tuple.weight.unwrap_or(1);
    Ok(WeightedGroup {
        group: TargetGroupArn::parse(tuple.target_group_arn.as_deref().unwrap_or_default())?,
        weight: u16::try_from(weight).ok().filter(|weight| *weight <= 999).ok_or(Unreadable::Weight(weight))?,
    })
}

fn action_to_sdk(action: &Action) -> Result<SdkAction, Unwritable> {
    let builder = SdkAction::builder().set_order(action.order);
    let builder = match &action.kind {
        ActionKind::Forward(forward) => {
            builder.r#type(ActionTypeEnum::Forward).forward_config(forward_to_sdk(forward)?)
        }
        ActionKind::AuthenticateOidc(given) => {
            builder.r#type(ActionTypeEnum::AuthenticateOidc).authenticate_oidc_config(settings::oidc_to_sdk(given)?)
        }
        ActionKind::AuthenticateCognito(given) => builder
            .r#type(ActionTypeEnum::AuthenticateCognito)
            .authenticate_cognito_config(settings::cognito_to_sdk(given)?),
        ActionKind::JwtValidation(given) => {
            builder.r#type(ActionTypeEnum::JwtValidation).jwt_validation_config(settings::jwt_to_sdk(given)?)
        }
        ActionKind::Redirect(given) => {
            builder.r#type(ActionTypeEnum::Redirect).redirect_config(settings::redirect_to_sdk(given)?)
        }
        ActionKind::FixedResponse(given) => {
            builder.r#type(ActionTypeEnum::FixedResponse).fixed_response_config(settings::fixed_response_to_sdk(given)?)
        }
        ActionKind::Unknown(name) => return Err(Unwritable::UnknownType(name.clone())),
    };
    Ok(builder.build())
}

/// `TargetGroupArn` stays unset, since AWS refuses it together with several groups. Every weight is given, since AWS
/// reads a missing one as 1.
fn forward_to_sdk(forward: &Forward) -> Result<ForwardActionConfig, Unwritable> {
    if forward.total() == 0 {
        return Err(Unwritable::NoWeight);
    }
    let tuples = forward.groups.iter().map(|tuple| {
        TargetGroupTuple::builder().target_group_arn(tuple.group.as_str()).weight(i32::from(tuple.weight)).build()
    });
    let stickiness = forward.stickiness.map(|stickiness| {
        TargetGroupStickinessConfig::builder()
            .enabled(stickiness.enabled)
            .set_duration_seconds(stickiness.duration_seconds)
            .build()
    });
    Ok(ForwardActionConfig::builder()
        .set_target_groups(Some(tuples.collect()))
        .set_target_group_stickiness_config(stickiness)
        .build())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const OLD: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/old/1";
    const NEW: &str = "arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/new/2";

    fn tuple(arn: &str, weight: Option<i32>) -> TargetGroupTuple {
        TargetGroupTuple::builder().target_group_arn(arn).set_weight(weight).build()
    }

    fn config(tuples: Vec<TargetGroupTuple>) -> ForwardActionConfig {
        ForwardActionConfig::builder().set_target_groups(Some(tuples)).build()
    }

    fn forward(arn: Option<&str>, config: Option<ForwardActionConfig>) -> SdkAction {
        SdkAction::builder()
            .r#type(ActionTypeEnum::Forward)
            .set_target_group_arn(arn.map(str::to_owned))
            .set_forward_config(config)
            .build()
    }

    #[track_caller]
    fn check_read(action: SdkAction, expected: &[(&str, u16)]) {
        let read = from_sdk(&[action]).unwrap();
        let groups = &read[0].as_forward().unwrap().groups;
        let groups: Vec<(&str, u16)> = groups.iter().map(|tuple| (tuple.group.as_str(), tuple.weight)).collect();
        assert_eq!(groups, expected);
    }

    #[test]
    fn every_shape_of_a_forward_is_read() {
        check_read(forward(Some(OLD), None), &[(OLD, 1)]);
        check_read(forward(Some(OLD), Some(config(vec![]))), &[(OLD, 1)]);
        check_read(forward(Some(OLD), Some(config(vec![tuple(OLD, Some(1))]))), &[(OLD, 1)]);
        check_read(forward(None, Some(config(vec![tuple(OLD, None)]))), &[(OLD, 1)]);
        check_read(
            forward(None, Some(config(vec![tuple(OLD, Some(95)), tuple(NEW, Some(0))]))),
            &[(OLD, 95), (NEW, 0)],
        );
    }

    #[test]
    fn a_forward_that_makes_no_sense_is_not_read() {
        let weight = |weight| from_sdk(&[forward(None, Some(config(vec![tuple(OLD, Some(weight))])))]);
        assert_eq!(weight(-1), Err(Unreadable::Weight(-1)));
        assert_eq!(weight(1000), Err(Unreadable::Weight(1000)));
        assert!(matches!(from_sdk(&[forward(Some("old"), None)]), Err(Unreadable::Arn(_))));
        assert_eq!(from_sdk(&[forward(None, None)]).unwrap()[0].kind, ActionKind::Unknown("forward".to_owned()));
    }

    #[test]
    fn weights_are_written_one_by_one_and_a_zero_is_not_left_out() {
        let group = |arn: &str, weight| WeightedGroup { group: TargetGroupArn::parse(arn).unwrap(), weight };
        let stickiness = Some(GroupStickiness { enabled: true, duration_seconds: Some(60) });
        for groups in [vec![group(OLD, 100), group(NEW, 0)], vec![group(OLD, 1)]] {
            let action =
                Action { order: Some(2), kind: ActionKind::Forward(Forward { groups: groups.clone(), stickiness }) };
            let written = to_sdk(std::slice::from_ref(&action)).unwrap();
            assert_eq!((written[0].order, written[0].target_group_arn.as_deref()), (Some(2), None));
            let tuples = written[0].forward_config.as_ref().unwrap().target_groups();
            assert!(tuples.iter().all(|tuple| tuple.weight.is_some()));
            assert_eq!(from_sdk(&written).unwrap(), vec![action]);
        }
        let nothing = Forward { groups: vec![group(OLD, 0), group(NEW, 0)], stickiness: None };
        let nothing = Action { order: None, kind: ActionKind::Forward(nothing) };
        assert_eq!(to_sdk(&[nothing]), Err(Unwritable::NoWeight));
        assert_eq!(to_sdk(&[]), Err(Unwritable::NoActions));
    }

    #[test]
    fn a_list_with_an_unknown_action_is_read_and_never_written() {
        let unknown = SdkAction::builder().r#type(ActionTypeEnum::from("teleport")).order(1).build();
        let read = from_sdk(&[unknown, forward(Some(OLD), None)]).unwrap();
        assert_eq!(read[0].kind, ActionKind::Unknown("teleport".to_owned()));
        assert_eq!(to_sdk(&read), Err(Unwritable::UnknownType("teleport".to_owned())));
    }

    fn kind(name: &str, config: &Value) -> ActionKind {
        serde_json::from_value(json!({"type": name, "config": config})).unwrap()
    }

    #[track_caller]
    fn check_round_trip(name: &str, config: &Value) {
        let action = Action { order: Some(1), kind: kind(name, config) };
        let written = to_sdk(std::slice::from_ref(&action)).unwrap();
        assert_eq!(from_sdk(&written).unwrap(), vec![action]);
    }

    #[test]
    fn settings_come_back_as_they_were() {
        check_round_trip(
            "authenticate-oidc",
            &json!({
                "Issuer": "https://id", "AuthorizationEndpoint": "https://id/a", "TokenEndpoint": "https://id/t",
                "UserInfoEndpoint": "https://id/u", "ClientId": "crossfade", "SessionCookieName": "c",
                "Scope": "openid email", "SessionTimeout": 3600, "OnUnauthenticatedRequest": "deny",
                "AuthenticationRequestExtraParams": {"prompt": "login"},
            }),
        );
        check_round_trip(
            "authenticate-cognito",
            &json!({
                "UserPoolArn": "arn:aws:cognito-idp:eu-west-1:1:userpool/p", "UserPoolClientId": "c",
                "UserPoolDomain": "d", "SessionCookieName": "c", "Scope": "openid", "SessionTimeout": 604_800,
                "OnUnauthenticatedRequest": "authenticate", "AuthenticationRequestExtraParams": {"a": "b"},
            }),
        );
        check_round_trip(
            "jwt-validation",
            &json!({
                "JwksEndpoint": "https://id/jwks", "Issuer": "https://id",
                "AdditionalClaims": [{"Format": "string-array", "Name": "roles", "Values": ["a", "b"]}],
            }),
        );
        check_round_trip(
            "redirect",
            &json!({
                "Protocol": "HTTPS", "Port": "443", "Host": "#{host}", "Path": "/#{path}", "Query": "",
                "StatusCode": "HTTP_301",
            }),
        );
        check_round_trip(
            "fixed-response",
            &json!({"MessageBody": "gone", "StatusCode": "410", "ContentType": "text/plain"}),
        );
    }

    #[test]
    fn a_login_is_written_without_its_secret() {
        let described = json!({"Issuer": "https://id", "ClientId": "c", "UseExistingClientSecret": false});
        let given = json!({"Issuer": "https://id", "ClientId": "c", "ClientSecret": "s"});
        for settings in [described, given] {
            let action = Action { order: None, kind: kind("authenticate-oidc", &settings) };
            let written = to_sdk(&[action]).unwrap();
            let config = written[0].authenticate_oidc_config.as_ref().unwrap();
            assert_eq!((config.client_secret(), config.use_existing_client_secret()), (None, Some(true)));
        }
    }

    #[test]
    fn a_setting_that_would_be_lost_is_refused() {
        let write = |name: &str, config: Value| to_sdk(&[Action { order: None, kind: kind(name, &config) }]);
        assert_eq!(
            write("fixed-response", json!({"StatusCode": "200", "Sparkle": "yes"})),
            Err(Unwritable::Setting(UnwritableSetting::Unknown("Sparkle".to_owned())))
        );
        assert!(matches!(
            write("authenticate-oidc", json!({"SessionTimeout": "soon"})),
            Err(Unwritable::Setting(UnwritableSetting::Wrong { .. }))
        ));
    }
}
