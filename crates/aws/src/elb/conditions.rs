//! The conditions of a rule: in words, from AWS's shape to ours, and back for a rule of our own.

use aws_sdk_elasticloadbalancingv2::types::{
    HostHeaderConditionConfig, HttpHeaderConditionConfig, HttpRequestMethodConditionConfig, PathPatternConditionConfig,
    RuleCondition,
};
use crossfade_domain::load_balancer::route::describe_conditions;
use crossfade_domain::load_balancer::rule::{Condition, Field};

/// The requests that a rule's conditions match, for people.
pub(super) fn requests(conditions: &[RuleCondition]) -> String {
    let described: Vec<(String, Vec<String>)> = conditions.iter().map(field_and_values).collect();
    describe_conditions(&described)
}

/// Reads a condition.
pub(super) fn from_sdk(condition: &RuleCondition) -> Condition {
    let (field, values) = field_and_values(condition);
    let regexes = [
        condition.regex_values.as_ref(),
        condition.host_header_config.as_ref().and_then(|config| config.regex_values.as_ref()),
        condition.path_pattern_config.as_ref().and_then(|config| config.regex_values.as_ref()),
        condition.http_header_config.as_ref().and_then(|config| config.regex_values.as_ref()),
    ];
    let regex = regexes.into_iter().flatten().any(|values| !values.is_empty());
    Condition { field: Field::from(field), values, regex }
}

/// The condition to be written.
///
/// # Errors
/// One that no rule of ours has is not written.
pub(super) fn to_sdk(condition: &Condition) -> Result<RuleCondition, String> {
    let values = Some(condition.values.clone());
    let rule = RuleCondition::builder();
    let rule = match &condition.field {
        _ if condition.regex => return Err("a rule of ours has no regular expressions".to_owned()),
        Field::Host => rule
            .field("host-header")
            .host_header_config(HostHeaderConditionConfig::builder().set_values(values).build()),
        Field::Path => rule
            .field("path-pattern")
            .path_pattern_config(PathPatternConditionConfig::builder().set_values(values).build()),
        Field::Method => rule
            .field("http-request-method")
            .http_request_method_config(HttpRequestMethodConditionConfig::builder().set_values(values).build()),
        Field::Header(name) => rule
            .field("http-header")
            .http_header_config(HttpHeaderConditionConfig::builder().http_header_name(name).set_values(values).build()),
        Field::SourceIp | Field::Query | Field::Other(_) => {
            return Err(format!("a rule of ours has no condition on {}", condition.field.written()));
        }
    };
    Ok(rule.build())
}

/// AWS keeps the values in the field's own shape, and those of hosts and paths at the top as well.
fn field_and_values(condition: &RuleCondition) -> (String, Vec<String>) {
    let field = condition.field.clone().unwrap_or_default();
    let header = condition.http_header_config.as_ref();
    let name = header.and_then(|config| config.http_header_name.clone());
    let query = condition.query_string_config.as_ref().and_then(|config| config.values.as_ref());
    let nested = [
        condition.host_header_config.as_ref().and_then(|config| config.values.as_ref()),
        condition.path_pattern_config.as_ref().and_then(|config| config.values.as_ref()),
        condition.http_request_method_config.as_ref().and_then(|config| config.values.as_ref()),
        condition.source_ip_config.as_ref().and_then(|config| config.values.as_ref()),
        header.and_then(|config| config.values.as_ref()),
        condition.regex_values.as_ref(),
        condition.host_header_config.as_ref().and_then(|config| config.regex_values.as_ref()),
        condition.path_pattern_config.as_ref().and_then(|config| config.regex_values.as_ref()),
        header.and_then(|config| config.regex_values.as_ref()),
    ];
    let mut values: Vec<String> = nested.into_iter().flatten().flatten().cloned().collect();
    values.extend(query.into_iter().flatten().map(|pair| {
        let value = pair.value.clone().unwrap_or_default();
        pair.key.as_ref().map_or_else(|| value.clone(), |key| format!("{key}={value}"))
    }));
    if values.is_empty() {
        values = condition.values.clone().unwrap_or_default();
    }
    (name.map_or_else(|| field.clone(), |name| format!("{field} {name}")), values)
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_sdk_elasticloadbalancingv2::types::{
        HttpHeaderConditionConfig, PathPatternConditionConfig, QueryStringConditionConfig, QueryStringKeyValuePair,
    };

    #[test]
    fn the_conditions_of_a_rule_are_told_in_words() {
        let condition = |field: &str| RuleCondition::builder().field(field);
        let path = PathPatternConditionConfig::builder().values("/api/*").values("/v2/*").build();
        let header = HttpHeaderConditionConfig::builder().http_header_name("x-beta").values("yes").build();
        let pair = QueryStringKeyValuePair::builder().key("version").value("2").build();
        let query = QueryStringConditionConfig::builder().values(pair).build();
        let conditions = [
            condition("host-header").values("users.internal").build(),
            condition("path-pattern").values("/api/*").values("/v2/*").path_pattern_config(path).build(),
            condition("http-header").http_header_config(header).build(),
            condition("query-string").query_string_config(query).build(),
        ];
        assert_eq!(
            requests(&conditions),
            "host users.internal, path /api/* or /v2/*, header x-beta yes, query version=2"
        );
    }
}
