//! One ARN out of another.

use crossfade_domain::names::{LoadBalancerArn, ParseIdError, RuleArn};

/// The load balancer whose rule this is: `listener-rule/app/<name>/<id>/<listener>/<rule>` names it.
pub(super) fn load_balancer_of(rule: &RuleArn) -> Result<LoadBalancerArn, ParseIdError> {
    let text = rule.as_str();
    let (before, resource) = text.rsplit_once(':').unwrap_or_default();
    let name: Vec<&str> = resource.split('/').skip(1).take(3).collect();
    LoadBalancerArn::parse(format!("{before}:loadbalancer/{}", name.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_names_its_load_balancer() {
        let rule = "arn:aws:elasticloadbalancing:eu-west-1:1:listener-rule/app/public/50dc6c495c0c9188/f2f7/9683";
        let balancer = load_balancer_of(&RuleArn::parse(rule).unwrap()).unwrap();
        assert_eq!(
            balancer.as_str(),
            "arn:aws:elasticloadbalancing:eu-west-1:1:loadbalancer/app/public/50dc6c495c0c9188"
        );
    }
}
