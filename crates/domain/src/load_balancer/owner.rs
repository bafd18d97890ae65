//! Who owns a load balancer, a listener or a rule, as far as tags say it. Terraform leaves none.

use super::group::Tags;

/// The tags that AWS Load Balancer Controller puts on what it owns.
const CONTROLLER_TAGS: [&str; 3] = ["elbv2.k8s.aws/cluster", "ingress.k8s.aws/stack", "service.k8s.aws/stack"];
/// The tag that CloudFormation puts on what it owns.
const STACK_TAG: &str = "aws:cloudformation:stack-name";

/// The tag by which AWS Load Balancer Controller owns what carries these tags.
pub fn controller_tag(tags: &Tags) -> Option<&'static str> {
    CONTROLLER_TAGS.into_iter().find(|tag| tags.contains_key(*tag))
}

/// The CloudFormation stack that owns what carries these tags.
pub fn stack_of(tags: &Tags) -> Option<&str> {
    tags.get(STACK_TAG).map(String::as_str)
}
