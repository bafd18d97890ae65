//! `ELBv2`.

mod arns;
mod batches;
mod conditions;
mod convert;
mod groups;
mod health;
mod routes;
mod rules;
mod settings;
#[cfg(test)]
mod shapes;
mod survey;
mod tags;

use crate::clients::Later;
use aws_sdk_elasticloadbalancingv2::Client;

/// The load balancers of one account and region.
pub(crate) struct Elb {
    /// For reads, and for writes that may be repeated.
    reader: Later<Client>,
    /// For writes to routes: its retries are off.
    writer: Later<Client>,
    stack: String,
}

impl Elb {
    pub(crate) fn new(reader: Later<Client>, writer: Later<Client>, stack: String) -> Self {
        Self { reader, writer, stack }
    }
}
