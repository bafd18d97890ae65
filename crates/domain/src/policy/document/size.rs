//! How large a fleet may be: its policy is one item of the table, and so is the head of its run.

use super::Reader;
use crate::policy::service_policy::{FleetPolicy, ServicePolicy};
use serde_json::Value;

/// An item of the table has 400 kB; this leaves some for its keys.
const MOST_POLICY_BYTES: usize = 390_000;
/// What the services of a head may take. The reasons why they are where they are take the rest.
const MOST_HEAD_BYTES: usize = 300_000;
/// What a head has of a service, without its name: its state, times, size and execution.
const SERVICE_BYTES: usize = 240;
/// How often it has the name: in the waves, the requests, the services, the execution and the migration.
const NAMES: usize = 5;
/// What it has for each further load balancer of a service.
const LOAD_BALANCER_BYTES: usize = 110;

/// Notes what is too large to be stored.
pub(super) fn check(reader: &mut Reader, document: &Value, fleet: Option<&FleetPolicy>) {
    let bytes = serde_json::to_vec(document).map_or(0, |text| text.len());
    if bytes > MOST_POLICY_BYTES {
        reader.note(
            "services".to_owned(),
            format!(
                "the policy has {} kB, and the table takes {} kB; move what services have in common to defaults, or \
                 divide them between two fleets",
                bytes.div_ceil(1_000),
                MOST_POLICY_BYTES / 1_000
            ),
        );
    }
    let bytes: usize = fleet.iter().flat_map(|fleet| &fleet.services).map(bytes_of).sum();
    if bytes > MOST_HEAD_BYTES {
        reader.note(
            "services".to_owned(),
            format!(
                "a run of these services takes up to {} kB of its item in the table, and {} kB are for them, as for \
                 1,000 services with names of 12 letters; divide them between two fleets",
                bytes.div_ceil(1_000),
                MOST_HEAD_BYTES / 1_000
            ),
        );
    }
}

fn bytes_of(service: &ServicePolicy) -> usize {
    let further = service.old_target_groups.len().saturating_sub(1);
    SERVICE_BYTES + NAMES * service.name.as_str().len() + LOAD_BALANCER_BYTES * further
}

#[cfg(test)]
mod tests {
    use crate::policy::document::{check_fleet, decode_fleet};
    use serde_json::{Value, json};

    fn fleet(services: usize, more: &Value) -> Value {
        let service = |number: usize| {
            let targets = json!({"instances": ["i-1", "i-2"]});
            let (name, old) = (format!("service-{number:04}"), format!("{number}-old"));
            let mut service = json!({"name": name, "oldTargetGroups": old, "newTargets": targets});
            service.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            service
        };
        json!({"fleet": "eks", "services": (0..services).map(service).collect::<Vec<_>>()})
    }

    #[test]
    fn a_thousand_services_are_taken_and_one_more_is_refused_but_read_where_it_is_stored() {
        check_fleet(&fleet(1_000, &json!({}))).unwrap();
        let problems = check_fleet(&fleet(1_001, &json!({}))).unwrap_err().to_string();
        assert!(
            problems.contains("services: a run of these services takes up to 301 kB of its item in the table"),
            "{problems}"
        );
        decode_fleet(&fleet(1_001, &json!({}))).unwrap();
    }

    #[test]
    fn a_policy_that_no_item_takes_is_refused() {
        let alarms: Vec<String> = (0..30).map(|number| format!("an-alarm-with-quite-a-long-name-{number}")).collect();
        let problems = check_fleet(&fleet(400, &json!({"alarms": alarms}))).unwrap_err().to_string();
        assert!(problems.contains("kB, and the table takes 390 kB; move what services have in common"), "{problems}");
    }
}
