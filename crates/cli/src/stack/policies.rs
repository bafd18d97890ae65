//! The policies that a verb works on: those of a file, or all that are stored.

use crate::ending::failure::Failure;
use crate::stack::policy_file;
use crate::stack::session::Session;
use crossfade_actions::ports::StoredPolicy;
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::service_policy::FleetPolicy;
use std::path::Path;

/// Policies, and what is wrong with those that cannot be used.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Policies {
    /// Those that can be used.
    pub fleets: Vec<FleetPolicy>,
    /// Why the others cannot.
    pub problems: Vec<String>,
}

impl Policies {
    /// Reads the policy of a file.
    ///
    /// # Errors
    /// The file cannot be read, or its policy is invalid.
    pub fn of_file(file: &Path) -> Result<Self, Failure> {
        let document = policy_file::read(file)?;
        Ok(Self { fleets: vec![policy_file::decode(file, &document)?], problems: Vec::new() })
    }

    /// Reads every stored policy, by the name of its fleet.
    ///
    /// # Errors
    /// The table cannot be read, or no policy is stored.
    pub async fn stored(session: &Session) -> Result<Self, Failure> {
        let stored = session.ports.ledger.policies().await;
        let mut stored = stored.map_err(|source| session.ledger_failed("reading the stored policies", source))?;
        if stored.is_empty() {
            return Err(Failure::bad_input(
                "no policy is stored\n  `crossfade apply policy.yaml` stores one; --policy FILE uses one that is not \
                 stored",
            ));
        }
        stored.sort_by(|a, b| a.fleet.cmp(&b.fleet));
        let mut policies = Self::default();
        for StoredPolicy { fleet, document, .. } in stored {
            match decode_fleet(&document) {
                Ok(policy) => policies.fleets.push(policy),
                Err(problems) => policies
                    .problems
                    .push(format!("the stored policy of fleet {fleet} cannot be used: {problems}; apply a valid one")),
            }
        }
        Ok(policies)
    }
}
