//! Names and addresses that a scenario does not state.

/// The port of new targets, as the load balancer knows them.
pub const NEW_PORT: u16 = 8080;

/// Returns the name of a service's old target group on a load balancer. Services may share a load balancer whose name
/// does not begin with theirs.
pub fn old_group_name(service: &str, load_balancer: &str) -> String {
    if load_balancer.starts_with(service) {
        format!("{load_balancer}-swarm")
    } else {
        format!("{service}-{load_balancer}-swarm")
    }
}

/// Returns the id of an instance of the service's Auto Scaling group, by its number from 1.
pub fn new_instance_id(service: &str, number: usize) -> String {
    format!("i-{service}-new-{number}")
}

/// Returns the address by which the load balancer knows a new target of the service in a place of the scenario, from 0.
/// The rehearsal maps it to a local server.
pub fn new_target_id(place: usize, number: u64) -> String {
    format!("10.1.{place}.{number}")
}
