//! The policy by which a service is planned.

use crate::error::{ActionError, Doing as _};
use crate::ports::{Ports, StoredPolicy};
use crossfade_domain::policy::document::decode_fleet;
use crossfade_domain::policy::request::PlanRequest;
use crossfade_domain::policy::service_policy::ServicePolicy;

/// The request's policy, else the one stored policy that names the service; or what is wrong.
pub(crate) async fn policy_of(
    ports: &Ports,
    request: &PlanRequest,
) -> Result<Result<ServicePolicy, String>, ActionError> {
    if let Some(policy) = &request.policy {
        return Ok(Ok(policy.clone()));
    }
    let stored = ports.ledger.policies().await.doing(|| "reading the stored policies")?;
    let mut found = Vec::new();
    let mut known = Vec::new();
    for StoredPolicy { fleet, document, .. } in &stored {
        match decode_fleet(document) {
            Err(problems) => return Ok(Err(format!("the stored policy of fleet {fleet} is wrong: {problems}"))),
            Ok(decoded) => {
                known.extend(decoded.services.iter().map(|service| service.name.to_string()));
                let service = decoded.services.into_iter().find(|service| service.name == request.service);
                found.extend(service.map(|service| (fleet, service)));
            }
        }
    }
    Ok(match found.len() {
        1 => Ok(found.remove(0).1),
        0 if stored.is_empty() => {
            Err(format!("no policy is stored; apply one, or send the policy of {} along", request.service))
        }
        0 => Err(format!(
            "no stored policy names service {}; the stored ones name {}",
            request.service,
            known.join(", ")
        )),
        _ => {
            let fleets: Vec<&str> = found.iter().map(|(fleet, _)| fleet.as_str()).collect();
            Err(format!("service {} is in more than one stored policy: {}", request.service, fleets.join(", ")))
        }
    })
}
