//! What is to be done, by what is decided and not seen to be done.

use super::{Look, Order};
use crate::fleet::service_run::{Hold, ServiceState};
use crate::fleet::turns::after;
use crate::journal::Phase;

impl Look<'_> {
    /// The orders, the returns of the most loaded services first.
    pub(super) fn orders(&self) -> Vec<Order> {
        let mut orders = Vec::new();
        for name in self.fleet.names() {
            let Some(service) = self.fleet.services.get(name) else { continue };
            let head = self.seen.heads.get(name);
            match service.state {
                ServiceState::Starting if service.since == self.now => {
                    if let Some(execution) = service.execution.clone() {
                        let before = after(self.policy, name).iter();
                        let without = before.filter(|before| self.fleet.releases_dependants_of(before));
                        let without = without.cloned().collect();
                        orders.push(Order::Start { service: name.clone(), execution, without });
                    }
                }
                ServiceState::Moving if service.hold == Hold::Asked => orders.push(Order::Hold(name.clone())),
                ServiceState::Moving if service.hold == Hold::Releasing => orders.push(Order::Release(name.clone())),
                ServiceState::Returning
                    if head.is_some_and(|head| {
                        matches!(head.phase, Phase::Planned | Phase::Moving | Phase::Halted | Phase::Migrated)
                    }) =>
                {
                    orders.push(Order::Return(name.clone()));
                }
                _ => {}
            }
        }
        orders.extend(self.retirements());
        // The most loaded first, as in any rollback.
        orders.sort_by_key(|order| match order {
            Order::Return(name) => (0, std::cmp::Reverse(self.fleet.requests.get(name).copied().unwrap_or(0))),
            _ => (1, std::cmp::Reverse(0)),
        });
        orders
    }
}
