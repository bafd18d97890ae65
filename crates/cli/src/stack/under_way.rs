//! What is under way with services whose policy is to change.

use crate::ending::failure::Failure;
use crate::stack::session::Session;
use crossfade_domain::names::ServiceName;
use crossfade_domain::under_way::UnderWay;
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Services with what is under way with each.
pub type ServicesUnderWay = BTreeMap<ServiceName, UnderWay>;

impl Session {
    /// Returns those of a fleet's services with which something is under way. Reads 100 of them in a call.
    ///
    /// # Errors
    /// The table cannot be read.
    pub async fn under_way(&self, fleet: &str, services: &[ServiceName]) -> Result<ServicesUnderWay, Failure> {
        let ledger = &self.ports.ledger;
        let (heads, retirements, run) =
            tokio::join!(ledger.heads(services), ledger.retirements(services), self.run_of(fleet));
        let heads = heads.map_err(|source| self.ledger_failed("reading the heads of the services", source))?;
        let retirements =
            retirements.map_err(|source| self.ledger_failed("reading the retirements of the services", source))?;
        let run = run?;
        let found = services.iter().filter_map(|service| {
            let head = heads.iter().find(|head| head.service == *service);
            let retirement = retirements.iter().find(|one| one.service == *service);
            Some((service.clone(), UnderWay::of(service, head, retirement, run.as_ref())?))
        });
        Ok(found.collect())
    }
}

/// One line for each service, below a message.
pub fn lines(under_way: &ServicesUnderWay) -> String {
    let lines = under_way.iter().map(|(service, what)| format!("\n  {service}: {}", what.in_words()));
    lines.collect::<Vec<_>>().concat()
}

/// The same for scripts: what is under way, by service.
pub fn object(under_way: &ServicesUnderWay) -> Value {
    let words = under_way.iter().map(|(service, what)| (service.to_string(), json!(what.in_words())));
    Value::Object(words.collect())
}
