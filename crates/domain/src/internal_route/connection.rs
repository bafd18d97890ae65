//! What the table has of a service's internal route.

use crate::load_balancer::route::RouteId;
use crate::names::{LoadBalancerArn, ServiceName, TargetGroupArn};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// Version of connections as they are stored today.
pub const CONNECTION_VERSION: u32 = 1;

/// A service's internal route as it was last recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Connection {
    /// Version of this format.
    pub version: u32,
    /// The fleet.
    pub fleet: String,
    /// The service.
    pub service: ServiceName,
    /// How often it was recorded; the first time is 1.
    pub sequence: u64,
    /// Where it stands.
    pub state: ConnectionState,
    /// Its load balancer.
    pub load_balancer: LoadBalancerArn,
    /// The rule or the listener, once it exists, and after its removal the one that it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route: Option<RouteId>,
    /// The copy of an old group that it forwards to, if it needs one and once that exists; then as for `route`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub copy: Option<TargetGroupArn>,
    /// What is being done, or was done, in words.
    pub what: String,
    /// Who asked for it, and why.
    pub who: String,
    /// When it was recorded.
    pub at: Timestamp,
}

/// Where an internal route stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ConnectionState {
    /// It is being created.
    Connecting,
    /// It was read back.
    Connected,
    /// It is being removed.
    Disconnecting,
    /// It is gone.
    Disconnected,
}
