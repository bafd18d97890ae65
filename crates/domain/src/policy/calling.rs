//! How other services reach one through a load balancer.

use serde::{Deserialize, Serialize};

/// The lowest priority that a rule of ours gets where the policy does not say: rules that are there win.
pub const PRIORITY_BASE: u16 = 10_000;

/// How other services reach a service through a load balancer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct InternalRoute {
    /// What tells its requests from those of others.
    #[serde(flatten)]
    pub by: InternalAddress,
    /// Name or ARN of the load balancer. None for the only internal one in the VPC of the old group.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load_balancer: Option<String>,
    /// Whether the load balancer may be one that is open to the internet.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub allow_internet_facing: bool,
}

/// What tells a service's internal requests from those of others.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged, rename_all_fields = "camelCase")]
pub enum InternalAddress {
    /// A host name, which a rule of a shared listener looks at.
    Host {
        /// In lower case, with at least one dot, and only letters behind the last one.
        host: String,
        /// The port of the listener. None for the only one, or for 80 where there are several.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        listener: Option<u16>,
        /// The lowest priority that the rule may get, 1 to 50,000.
        priority_base: u16,
    },
    /// A port of its own, so a listener of its own.
    Port {
        /// 1 to 65,535.
        port: u16,
    },
}
