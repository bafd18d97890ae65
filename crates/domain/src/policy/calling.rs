//! How other services reach one through a load balancer, and how it is tried before a user reaches it.

use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

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

/// A test request to the new side before any user's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Probe {
    /// The path, with a query if there is one.
    pub path: String,
    /// `GET` or `HEAD`: nothing that changes what the service knows.
    pub method: ProbeMethod,
    /// The status that the new side must answer with.
    pub expect: u16,
    /// What of the answers is compared, beside the status.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub compare: BTreeSet<Compared>,
}

/// Who sends the requests of probes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ProbeFrom {
    /// The function that creates their rules.
    #[default]
    Function,
    /// A command of an operator or of a CI job, on a machine that reaches the load balancers.
    Caller,
}

impl ProbeFrom {
    /// Its name in a request.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Function => "function",
            Self::Caller => "caller",
        }
    }

    /// Whether the function sends them.
    pub fn is_function(&self) -> bool {
        *self == Self::Function
    }
}

/// The method of a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum ProbeMethod {
    /// Read it.
    #[default]
    Get,
    /// Read its headers alone.
    Head,
}

/// What of two answers is compared, beside the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Compared {
    /// The content type, and what caches read.
    Headers,
    /// The keys of JSON and the types of their values.
    Shape,
    /// All of it.
    Body,
}

impl Probe {
    /// The path without its query, and the query, empty without one.
    pub fn path_and_query(&self) -> (&str, &str) {
        self.path.split_once('?').unwrap_or((&self.path, ""))
    }

    /// For people: `GET /ping`.
    pub fn describe(&self) -> String {
        format!("{} {}", self.method.as_str(), self.path)
    }
}

impl ProbeMethod {
    /// The method as it is sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
        }
    }
}
