//! What the stack's parameters allow a migration to do.
//!
//! Whoever may start the machine chooses its input, and the machine cannot know who that is. A policy inside the input
//! could send any route of the account to any target, so a stack with a role for CI accepts stored policies only: that
//! role cannot write the table.

use crate::error::ActionError;
use crossfade_domain::load_balancer::wildcard::matches_wildcards;
use crossfade_domain::plan::{Finding, FindingCode, Plan, Severity};
use crossfade_domain::policy::request::PlanRequest;
use serde_json::Value;

/// What the stack's parameters allow.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StackLimits {
    refuses_inline_policies: bool,
    /// The names of the load balancers whose routes may be changed; `*` stands for any text, `?` for one letter.
    load_balancers: String,
}

impl Default for StackLimits {
    fn default() -> Self {
        Self { refuses_inline_policies: false, load_balancers: "*".to_owned() }
    }
}

impl StackLimits {
    /// Reads the field `stack` of the payload. It is absent in executions that an earlier version of the machine runs.
    ///
    /// # Errors
    /// `InvalidRequest` for a value that this version does not know: a limit that is not understood is not ignored.
    pub(super) fn read(stack: &Value) -> Result<Self, ActionError> {
        let mut limits = Self::default();
        match stack.get("inlinePolicies").map(Value::as_str) {
            None | Some(Some("accepted")) => {}
            Some(Some("refused")) => limits.refuses_inline_policies = true,
            Some(_) => return Err(wrong("inlinePolicies", "accepted or refused", stack)),
        }
        match stack.get("loadBalancers").map(Value::as_str) {
            None => {}
            Some(Some(pattern)) => pattern.clone_into(&mut limits.load_balancers),
            Some(None) => return Err(wrong("loadBalancers", "a pattern such as prod-*", stack)),
        }
        Ok(limits)
    }

    /// Why a request must not bring its own policy, if so. A dry run changes nothing and may.
    pub(super) fn objection_to_policy(&self, request: &PlanRequest) -> Option<String> {
        let policy = request.policy.as_ref().filter(|_| self.refuses_inline_policies && !request.dry_run)?;
        Some(format!(
            "$.request: expected the service's name alone, found a policy: this stack accepts stored policies only. \
             Store it with `crossfade apply FILE`, then start {{\"service\": \"{}\"}}; or set the stack's parameter \
             InlinePolicies to yes",
            policy.name
        ))
    }

    /// A finding for each load balancer whose routes must not be changed.
    pub(super) fn objections(&self, plan: &Plan) -> Vec<Finding> {
        let mut outside: Vec<_> =
            plan.groups.iter().map(|group| group.load_balancer.name()).filter(|name| !self.allows(name)).collect();
        outside.sort_unstable();
        outside.dedup();
        let finding = |name: &str| Finding {
            code: FindingCode::LoadBalancerNotAllowed,
            severity: Severity::Refusal,
            subject: name.to_owned(),
            message: format!(
                "load balancer {name} is none of those whose rules this stack may change ({}); widen the stack's \
                 parameter LoadBalancers",
                self.load_balancers
            ),
        };
        outside.into_iter().map(finding).collect()
    }

    fn allows(&self, name: &str) -> bool {
        matches_wildcards(&self.load_balancers, name)
    }
}

fn wrong(field: &str, expected: &str, stack: &Value) -> ActionError {
    ActionError::InvalidRequest(format!("$.stack.{field}: expected {expected}, found {}", stack[field]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_domain::policy::request::decode_request;
    use serde_json::json;

    fn objection(stack: &Value, request: &Value) -> Option<String> {
        StackLimits::read(stack).unwrap().objection_to_policy(&decode_request(request).unwrap())
    }

    #[test]
    fn a_stack_that_refuses_inline_policies_takes_a_name_or_a_dry_run() {
        let policy =
            json!({"name": "users", "oldTargetGroups": "users-swarm", "newTargets": {"ips": ["10.0.9.8", "10.0.9.9"]}});
        let refused = json!({"inlinePolicies": "refused"});
        let inline = json!({"service": policy});
        let found = objection(&refused, &inline).unwrap();
        assert!(found.starts_with("$.request: expected the service's name alone, found a policy"), "{found}");
        let fleet = json!({"service": "users", "policy": {"fleet": "eks", "services": [policy]}});
        assert!(objection(&refused, &fleet).is_some(), "a policy by any other way in is refused as well");
        for allowed in [json!({"service": "users"}), json!({"service": policy, "dryRun": true})] {
            assert_eq!(objection(&refused, &allowed), None, "{allowed}");
        }
        assert_eq!(objection(&json!({"inlinePolicies": "accepted"}), &inline), None);
        assert_eq!(objection(&Value::Null, &inline), None, "an execution of an earlier version");
    }

    #[test]
    fn a_limit_that_is_not_understood_is_not_ignored() {
        for stack in [json!({"inlinePolicies": "${InlinePolicies}"}), json!({"loadBalancers": 7})] {
            assert!(matches!(StackLimits::read(&stack), Err(ActionError::InvalidRequest(_))), "{stack}");
        }
    }
}
