//! What a service needs in Kubernetes beside its Deployment and its Service, which other tools convert.

use crate::load_balancer::group::{GroupSettings, TargetGroup};
use crate::policy::service_policy::{Binding, NewTargets, ServicePolicy};
use serde_json::{Value, json};

/// Seconds that a pod goes on serving once it is being deleted. The controller deregisters its target first, and the
/// load balancer sends requests to it until it has heard of that.
const PRE_STOP_SECONDS: u32 = 25;
/// Seconds that Spring waits for running requests by default (`spring.lifecycle.timeout-per-shutdown-phase`).
const SHUTDOWN_SECONDS: u32 = 30;
/// Seconds that are left before the kubelet kills the pod.
const SPARE_SECONDS: u32 = 5;
/// Fewer replicas are none while one of them is replaced.
const LEAST_REPLICAS: u32 = 2;
/// The label that kompose gives to what it makes of a service.
const KOMPOSE_LABEL: &str = "io.kompose.service";
/// What stands where AWS was not asked. Pods with this path never become ready, so it cannot be forgotten.
const UNKNOWN_PATH: &str = "/REPLACE-WITH-THE-HEALTH-CHECK-PATH";
/// The same for a group's name, which depends on the old group's ARN.
pub const UNKNOWN_GROUP: &str = "REPLACE-WITH-THE-NEW-TARGET-GROUP";

/// The new target group that a controller fills with pods.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundGroup {
    /// The name that Crossfade gives to it; none where the old group's ARN is not known.
    pub name: Option<String>,
    /// The old group, whose settings it copies; none where AWS was not asked.
    pub old: Option<TargetGroup>,
}

/// A file with one YAML document.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its name.
    pub file: String,
    /// Lines of comment above the document, without `#`.
    pub notes: Vec<String>,
    /// The document.
    pub document: Value,
}

/// The manifests of services in one namespace, the kustomization that joins them with kompose's last.
///
/// # Errors
/// A service without a binding, or services in several namespaces.
pub fn manifests(services: &[(&ServicePolicy, Vec<BoundGroup>)]) -> Result<Vec<Manifest>, String> {
    let mut bound = Vec::new();
    for (service, groups) in services {
        let NewTargets::Binding(binding) = &service.new_targets else {
            return Err(format!(
                "{0} has no binding: Crossfade registers its targets itself, and no controller takes part\n  give {0} \
                 newTargets: {{ binding: {{ namespace: ..., service: ..., port: ... }} }} if its pods are the targets",
                service.name
            ));
        };
        bound.push((*service, binding, groups));
    }
    let Some((_, Binding { namespace, .. }, _)) = bound.first() else { return Ok(Vec::new()) };
    if let Some((other, binding, _)) = bound.iter().find(|(_, binding, _)| binding.namespace != *namespace) {
        return Err(format!(
            "{} is in namespace {}, and {} is in {namespace}: one kustomization is for one namespace\n  run `crossfade \
             manifests` once for each, with a --dir of its own",
            other.name, binding.namespace, bound[0].0.name
        ));
    }
    let mut all = Vec::new();
    for (service, binding, groups) in &bound {
        all.extend(
            groups.iter().enumerate().map(|(index, group)| target_group_binding(service, binding, index, group)),
        );
        all.push(deployment_patch(service, binding, groups.first().and_then(|group| group.old.as_ref())));
        all.push(pod_disruption_budget(binding));
    }
    let joined = kustomization(namespace, &bound.iter().map(|(_, binding, _)| *binding).collect::<Vec<_>>(), &all);
    all.push(joined);
    Ok(all)
}

fn target_group_binding(
    service: &ServicePolicy,
    binding: &Binding,
    index: usize,
    BoundGroup { name, old }: &BoundGroup,
) -> Manifest {
    let group = name.as_deref().unwrap_or(UNKNOWN_GROUP);
    let mut notes = vec![
        format!(
            "Registers the pods of {} in the target group that Crossfade creates for {}.",
            binding.service, service.name
        ),
        "Whoever may create a TargetGroupBinding can take over any target group of the account: restrict".to_owned(),
        "targetgroupbindings.elbv2.k8s.aws to the deployment's own role by RBAC.".to_owned(),
        "Deleting it deregisters every pod at once.".to_owned(),
        "Readiness gates: pods that are created after it get one if their namespace has the label:".to_owned(),
        format!("  kubectl label namespace {} elbv2.k8s.aws/pod-readiness-gate-inject=enabled", binding.namespace),
    ];
    if name.is_none() {
        notes
            .push(format!("MISSING: {UNKNOWN_GROUP}. The name follows from the old group's ARN, which AWS knows: run"));
        notes.push("`crossfade manifests` without --offline.".to_owned());
    }
    let mut spec = json!({
        "serviceRef": {"name": binding.service, "port": binding.port},
        "targetGroupName": group,
        "targetType": "ip",
    });
    let family = binding.ip_address_type.map(|family| family.as_str().to_owned());
    let family = family.or_else(|| old.as_ref().and_then(|old| old.settings.ip_address_type.clone()));
    if let Some(family) = family {
        spec["ipAddressType"] = json!(family);
    }
    let number = if index == 0 { String::new() } else { format!("-{}", index + 1) };
    Manifest {
        file: format!("{}-target-group-binding{number}.yaml", binding.service),
        notes,
        document: json!({
            "apiVersion": "elbv2.k8s.aws/v1beta1",
            "kind": "TargetGroupBinding",
            "metadata": {"name": group.to_ascii_lowercase(), "namespace": binding.namespace},
            "spec": spec,
        }),
    }
}

fn deployment_patch(service: &ServicePolicy, binding: &Binding, old: Option<&TargetGroup>) -> Manifest {
    let name = &binding.service;
    let (probe, about) = readiness_probe(binding, old.map(|old| &old.settings));
    let mut notes = vec![
        format!(
            "A strategic-merge patch for the Deployment {name}, whose container is called {name} as kompose does it."
        ),
        "The sleep before the end needs Kubernetes 1.30; it lets the load balancer hear that the pod leaves."
            .to_owned(),
        "Set server.shutdown=graceful, and requests and limits that fit the load.".to_owned(),
    ];
    notes.extend(about);
    let grace = PRE_STOP_SECONDS + SHUTDOWN_SECONDS + SPARE_SECONDS;
    Manifest {
        file: format!("{name}-deployment-patch.yaml"),
        notes,
        document: json!({
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": {"name": name, "namespace": binding.namespace},
            "spec": {
                "replicas": service.min_healthy.max(LEAST_REPLICAS),
                "strategy": {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}},
                "template": {"spec": {
                    "containers": [{
                        "name": name,
                        "lifecycle": {"preStop": {"sleep": {"seconds": PRE_STOP_SECONDS}}},
                        "readinessProbe": probe,
                    }],
                    "terminationGracePeriodSeconds": grace,
                    "topologySpreadConstraints": [{
                        "labelSelector": {"matchLabels": {KOMPOSE_LABEL: name}},
                        "maxSkew": 1,
                        "topologyKey": "topology.kubernetes.io/zone",
                        "whenUnsatisfiable": "ScheduleAnyway",
                    }],
                }},
            },
        }),
    }
}

/// The probe that asks what the target group's health check asks, and what is assumed about it.
fn readiness_probe(binding: &Binding, settings: Option<&GroupSettings>) -> (Value, Vec<String>) {
    let Some(settings) = settings else {
        let probe = json!({"httpGet": {"path": UNKNOWN_PATH, "port": binding.port}});
        let note =
            "MISSING: the health check's path and port, which AWS knows: run `crossfade manifests` without --offline.";
        return (probe, vec![note.to_owned()]);
    };
    let check = &settings.health_check;
    let own_port = check.port.parse::<u16>().ok();
    let port = own_port.unwrap_or(binding.port);
    let mut notes = vec!["The readiness probe asks what the target group's health check asks.".to_owned()];
    if own_port.is_none() {
        notes.push(format!(
            "It asks port {port}, the service's port: correct it if the container listens on another (targetPort)."
        ));
    }
    let mut probe = if settings.is_grpc() {
        json!({"grpc": {"port": port}})
    } else {
        let path = check.path.as_deref().unwrap_or("/");
        let mut asked = json!({"path": path, "port": port});
        if check.protocol == "HTTPS" {
            asked["scheme"] = json!("HTTPS");
        }
        json!({"httpGet": asked})
    };
    probe["periodSeconds"] = json!(check.interval_seconds);
    probe["timeoutSeconds"] = json!(check.timeout_seconds);
    probe["failureThreshold"] = json!(check.unhealthy_threshold);
    (probe, notes)
}

fn pod_disruption_budget(binding: &Binding) -> Manifest {
    let name = &binding.service;
    Manifest {
        file: format!("{name}-pod-disruption-budget.yaml"),
        notes: vec![
            "A drained node takes one pod at a time, so the new side keeps the targets that its weight needs."
                .to_owned(),
            format!("The label {KOMPOSE_LABEL} is kompose's: use the Deployment's own if it has another."),
        ],
        document: json!({
            "apiVersion": "policy/v1",
            "kind": "PodDisruptionBudget",
            "metadata": {"name": name, "namespace": binding.namespace},
            "spec": {
                "maxUnavailable": 1,
                "selector": {"matchLabels": {KOMPOSE_LABEL: name}},
                "unhealthyPodEvictionPolicy": "AlwaysAllow",
            },
        }),
    }
}

fn kustomization(namespace: &str, bindings: &[&Binding], others: &[Manifest]) -> Manifest {
    let is_patch = |one: &&Manifest| one.document["kind"] == "Deployment";
    let converted = bindings
        .iter()
        .flat_map(|Binding { service, .. }| [format!("{service}-deployment.yaml"), format!("{service}-service.yaml")]);
    let ours = others.iter().filter(|one| !is_patch(one)).map(|one| one.file.clone());
    let patches = others.iter().filter(is_patch).map(|one| json!({"path": one.file}));
    Manifest {
        file: "kustomization.yaml".to_owned(),
        notes: vec![
            "Joins each Deployment and Service, as kompose converts them, with what a migration needs.".to_owned(),
            "In this folder:".to_owned(),
            format!("  kompose convert --file docker-compose.yml --namespace {namespace} --out ."),
            "  kubectl apply --kustomize .".to_owned(),
            "kompose does not convert depends_on, network aliases, extra_hosts, links, ulimits, external secrets."
                .to_owned(),
        ],
        document: json!({
            "apiVersion": "kustomize.config.k8s.io/v1beta1",
            "kind": "Kustomization",
            "namespace": namespace,
            "resources": converted.chain(ours).collect::<Vec<_>>(),
            "patches": patches.collect::<Vec<_>>(),
        }),
    }
}

#[cfg(test)]
mod tests;
