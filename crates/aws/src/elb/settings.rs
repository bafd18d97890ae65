//! The settings of actions that Crossfade carries over without reading them, by AWS's own field names.
//!
//! The two directions of one type are next to each other; `convert` tests a round trip of every field.

use aws_sdk_elasticloadbalancingv2::types::{
    AuthenticateCognitoActionConditionalBehaviorEnum, AuthenticateCognitoActionConfig,
    AuthenticateOidcActionConditionalBehaviorEnum, AuthenticateOidcActionConfig, FixedResponseActionConfig,
    JwtValidationActionAdditionalClaim, JwtValidationActionAdditionalClaimFormatEnum, JwtValidationActionConfig,
    RedirectActionConfig, RedirectActionStatusCodeEnum,
};
use crossfade_domain::load_balancer::action::Settings;
use serde_json::{Value, json};
use std::collections::HashMap;

/// Why a setting of an action cannot be written.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum UnwritableSetting {
    #[error("setting {0} is unknown to this version")]
    Unknown(String),
    #[error("setting {name}: expected {expected}")]
    Wrong { name: String, expected: &'static str },
}

pub(super) fn oidc_from_sdk(config: &AuthenticateOidcActionConfig) -> Settings {
    // The secret never comes back, and whether to keep it is an instruction and no setting.
    collect([
        ("Issuer", text(config.issuer())),
        ("AuthorizationEndpoint", text(config.authorization_endpoint())),
        ("TokenEndpoint", text(config.token_endpoint())),
        ("UserInfoEndpoint", text(config.user_info_endpoint())),
        ("ClientId", text(config.client_id())),
        ("SessionCookieName", text(config.session_cookie_name())),
        ("Scope", text(config.scope())),
        ("SessionTimeout", config.session_timeout().map(Value::from)),
        ("AuthenticationRequestExtraParams", config.authentication_request_extra_params().map(|texts| json!(texts))),
        (
            "OnUnauthenticatedRequest",
            text(config.on_unauthenticated_request().map(AuthenticateOidcActionConditionalBehaviorEnum::as_str)),
        ),
    ])
}

pub(super) fn oidc_to_sdk(settings: &Settings) -> Result<AuthenticateOidcActionConfig, UnwritableSetting> {
    let mut given = Given::new(settings);
    given.ignore("ClientSecret");
    given.ignore("UseExistingClientSecret");
    let config = AuthenticateOidcActionConfig::builder()
        .set_issuer(given.text("Issuer")?)
        .set_authorization_endpoint(given.text("AuthorizationEndpoint")?)
        .set_token_endpoint(given.text("TokenEndpoint")?)
        .set_user_info_endpoint(given.text("UserInfoEndpoint")?)
        .set_client_id(given.text("ClientId")?)
        .set_session_cookie_name(given.text("SessionCookieName")?)
        .set_scope(given.text("Scope")?)
        .set_session_timeout(given.number("SessionTimeout")?)
        .set_authentication_request_extra_params(given.texts("AuthenticationRequestExtraParams")?)
        .set_on_unauthenticated_request(
            given.text("OnUnauthenticatedRequest")?.as_deref().map(AuthenticateOidcActionConditionalBehaviorEnum::from),
        )
        .use_existing_client_secret(true)
        .build();
    given.none_left(config)
}

pub(super) fn cognito_from_sdk(config: &AuthenticateCognitoActionConfig) -> Settings {
    collect([
        ("UserPoolArn", text(config.user_pool_arn())),
        ("UserPoolClientId", text(config.user_pool_client_id())),
        ("UserPoolDomain", text(config.user_pool_domain())),
        ("SessionCookieName", text(config.session_cookie_name())),
        ("Scope", text(config.scope())),
        ("SessionTimeout", config.session_timeout().map(Value::from)),
        ("AuthenticationRequestExtraParams", config.authentication_request_extra_params().map(|texts| json!(texts))),
        (
            "OnUnauthenticatedRequest",
            text(config.on_unauthenticated_request().map(AuthenticateCognitoActionConditionalBehaviorEnum::as_str)),
        ),
    ])
}

pub(super) fn cognito_to_sdk(settings: &Settings) -> Result<AuthenticateCognitoActionConfig, UnwritableSetting> {
    let mut given = Given::new(settings);
    let config = AuthenticateCognitoActionConfig::builder()
        .set_user_pool_arn(given.text("UserPoolArn")?)
        .set_user_pool_client_id(given.text("UserPoolClientId")?)
        .set_user_pool_domain(given.text("UserPoolDomain")?)
        .set_session_cookie_name(given.text("SessionCookieName")?)
        .set_scope(given.text("Scope")?)
        .set_session_timeout(given.number("SessionTimeout")?)
        .set_authentication_request_extra_params(given.texts("AuthenticationRequestExtraParams")?)
        .set_on_unauthenticated_request(
            given
                .text("OnUnauthenticatedRequest")?
                .as_deref()
                .map(AuthenticateCognitoActionConditionalBehaviorEnum::from),
        )
        .build();
    given.none_left(config)
}

pub(super) fn jwt_from_sdk(config: &JwtValidationActionConfig) -> Settings {
    let claims = config.additional_claims.as_ref().map(|claims| {
        claims
            .iter()
            .map(|claim| {
                let format = claim.format.as_ref().map(JwtValidationActionAdditionalClaimFormatEnum::as_str);
                json!(collect([
                    ("Format", text(format)),
                    ("Name", text(claim.name())),
                    ("Values", claim.values.as_ref().map(|values| json!(values))),
                ]))
            })
            .collect::<Value>()
    });
    collect([
        ("JwksEndpoint", text(config.jwks_endpoint())),
        ("Issuer", text(config.issuer())),
        ("AdditionalClaims", claims),
    ])
}

pub(super) fn jwt_to_sdk(settings: &Settings) -> Result<JwtValidationActionConfig, UnwritableSetting> {
    let mut given = Given::new(settings);
    let claims: Option<Vec<Settings>> = given.parsed("AdditionalClaims", "a list of claims")?;
    let claims: Option<Vec<_>> =
        claims.map(|claims| claims.iter().map(claim_to_sdk).collect::<Result<_, _>>()).transpose()?;
    let config = JwtValidationActionConfig::builder()
        .set_jwks_endpoint(given.text("JwksEndpoint")?)
        .set_issuer(given.text("Issuer")?)
        .set_additional_claims(claims)
        .build();
    given.none_left(config)
}

fn claim_to_sdk(settings: &Settings) -> Result<JwtValidationActionAdditionalClaim, UnwritableSetting> {
    let mut given = Given::new(settings);
    let format = given.text("Format")?;
    let claim = JwtValidationActionAdditionalClaim::builder()
        .set_format(format.as_deref().map(JwtValidationActionAdditionalClaimFormatEnum::from))
        .set_name(given.text("Name")?)
        .set_values(given.parsed("Values", "a list of texts")?)
        .build();
    given.none_left(claim)
}

pub(super) fn redirect_from_sdk(config: &RedirectActionConfig) -> Settings {
    collect([
        ("Protocol", text(config.protocol())),
        ("Port", text(config.port())),
        ("Host", text(config.host())),
        ("Path", text(config.path())),
        ("Query", text(config.query())),
        ("StatusCode", text(config.status_code().map(RedirectActionStatusCodeEnum::as_str))),
    ])
}

pub(super) fn redirect_to_sdk(settings: &Settings) -> Result<RedirectActionConfig, UnwritableSetting> {
    let mut given = Given::new(settings);
    let config = RedirectActionConfig::builder()
        .set_protocol(given.text("Protocol")?)
        .set_port(given.text("Port")?)
        .set_host(given.text("Host")?)
        .set_path(given.text("Path")?)
        .set_query(given.text("Query")?)
        .set_status_code(given.text("StatusCode")?.as_deref().map(RedirectActionStatusCodeEnum::from))
        .build();
    given.none_left(config)
}

pub(super) fn fixed_response_from_sdk(config: &FixedResponseActionConfig) -> Settings {
    collect([
        ("MessageBody", text(config.message_body())),
        ("StatusCode", text(config.status_code())),
        ("ContentType", text(config.content_type())),
    ])
}

pub(super) fn fixed_response_to_sdk(settings: &Settings) -> Result<FixedResponseActionConfig, UnwritableSetting> {
    let mut given = Given::new(settings);
    let config = FixedResponseActionConfig::builder()
        .set_message_body(given.text("MessageBody")?)
        .set_status_code(given.text("StatusCode")?)
        .set_content_type(given.text("ContentType")?)
        .build();
    given.none_left(config)
}

fn collect<const N: usize>(fields: [(&str, Option<Value>); N]) -> Settings {
    fields.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
}

fn text(value: Option<&str>) -> Option<Value> {
    value.map(Value::from)
}

/// Settings that are taken out one by one: what is left is unknown to this version.
struct Given {
    settings: Settings,
}

impl Given {
    fn new(settings: &Settings) -> Self {
        Self { settings: settings.clone() }
    }

    fn ignore(&mut self, name: &str) {
        self.settings.remove(name);
    }

    fn parsed<T: serde::de::DeserializeOwned>(
        &mut self,
        name: &str,
        expected: &'static str,
    ) -> Result<Option<T>, UnwritableSetting> {
        match self.settings.remove(name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => serde_json::from_value(value)
                .map(Some)
                .map_err(|_| UnwritableSetting::Wrong { name: name.to_owned(), expected }),
        }
    }

    fn text(&mut self, name: &str) -> Result<Option<String>, UnwritableSetting> {
        self.parsed(name, "a text")
    }

    fn texts(&mut self, name: &str) -> Result<Option<HashMap<String, String>>, UnwritableSetting> {
        self.parsed(name, "texts by name")
    }

    fn number(&mut self, name: &str) -> Result<Option<i64>, UnwritableSetting> {
        self.parsed(name, "a whole number")
    }

    fn none_left<T>(self, config: T) -> Result<T, UnwritableSetting> {
        match self.settings.into_keys().next() {
            None => Ok(config),
            Some(name) => Err(UnwritableSetting::Unknown(name)),
        }
    }
}
