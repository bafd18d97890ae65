//! The new cluster's controller: it registers the pods of a service in the target group that the service is bound to,
//! as the AWS Load Balancer Controller does.

use crate::clock::WorldClock;
use crossfade_world::elbv2::Elbv2;
use jiff::SignedDuration;
use serde_json::Value;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use tokio::task::JoinHandle;

/// How often the controller compares target groups with bindings, in world time.
const RECONCILE_EVERY: SignedDuration = SignedDuration::from_secs(5);
const API_VERSION: &str = "elbv2.k8s.aws/v1beta1";

/// The pods of each service: id and port of each.
pub type Pods = BTreeMap<String, Vec<(String, u16)>>;

/// The controller. It stops when it is dropped.
pub struct Controller {
    elbv2: Arc<Mutex<Elbv2>>,
    clock: WorldClock,
    pods: Arc<Pods>,
    bindings: Arc<Mutex<BTreeMap<String, Binding>>>,
    /// None until something is bound, so that a world without bindings has no turns for them.
    reconciling: Mutex<Option<JoinHandle<()>>>,
}

/// What a `TargetGroupBinding` says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Binding {
    group: String,
    service: String,
}

impl Controller {
    /// A controller that knows these pods and has no binding yet.
    pub fn new(elbv2: Arc<Mutex<Elbv2>>, clock: WorldClock, pods: Pods) -> Self {
        Self { elbv2, clock, pods: Arc::new(pods), bindings: Arc::default(), reconciling: Mutex::default() }
    }

    /// Applies manifests, as `kubectl apply` does. Returns a line for each.
    ///
    /// # Errors
    /// What is wrong, and then nothing is applied.
    pub fn apply(&self, manifests: &str) -> Result<Vec<String>, String> {
        let mut said = Vec::new();
        let mut bound = Vec::new();
        for document in serde_yaml_ng::Deserializer::from_str(manifests) {
            let manifest: Value =
                serde::Deserialize::deserialize(document).map_err(|error| format!("this is not YAML: {error}"))?;
            if manifest.is_null() {
                continue;
            }
            let kind = manifest["kind"].as_str().ok_or("a manifest without a kind")?;
            let name = manifest["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if kind == "TargetGroupBinding" {
                bound.push((name.clone(), self.binding(&manifest, &name)?));
                said.push(format!("targetgroupbinding.elbv2.k8s.aws/{name} applied"));
            } else {
                said.push(format!("{}/{name} left as it is: the rehearsal deploys the pods", kind.to_lowercase()));
            }
        }
        if !bound.is_empty() {
            self.bindings.lock().expect("no holder of the lock panics").extend(bound);
            self.reconciling.lock().expect("no holder of the lock panics").get_or_insert_with(|| self.reconcile());
        }
        Ok(said)
    }

    fn binding(&self, manifest: &Value, name: &str) -> Result<Binding, String> {
        let version = manifest["apiVersion"].as_str().unwrap_or_default();
        if version != API_VERSION {
            return Err(format!("TargetGroupBinding {name} has apiVersion {version:?}: expected {API_VERSION}"));
        }
        let text = |field: &str, value: &Value| {
            let found = value.as_str().filter(|text| !text.is_empty()).map(str::to_owned);
            found.ok_or_else(|| format!("TargetGroupBinding {name} has no {field}"))
        };
        let group = text("spec.targetGroupName", &manifest["spec"]["targetGroupName"])?;
        let service = text("spec.serviceRef.name", &manifest["spec"]["serviceRef"]["name"])?;
        if !self.pods.contains_key(&service) {
            return Err(format!(
                "TargetGroupBinding {name} names service {service}, which the new cluster does not have"
            ));
        }
        Ok(Binding { group, service })
    }

    fn reconcile(&self) -> JoinHandle<()> {
        let (elbv2, clock, pods, bindings) =
            (self.elbv2.clone(), self.clock.clone(), self.pods.clone(), self.bindings.clone());
        let mut turn = clock.at(clock.now());
        tokio::spawn(async move {
            loop {
                let _work = turn.await;
                let now = clock.now();
                let bindings = bindings.lock().expect("no holder of the lock panics").clone();
                {
                    let mut elbv2 = elbv2.lock().expect("no holder of the lock panics");
                    for binding in bindings.values() {
                        let Some(group) = elbv2.group_named(&binding.group).map(str::to_owned) else { continue };
                        let registered = elbv2.targets_of(&group);
                        let missing: Vec<(&str, u16)> = pods[&binding.service]
                            .iter()
                            .filter(|pod| !registered.contains(pod))
                            .map(|(id, port)| (id.as_str(), *port))
                            .collect();
                        if !missing.is_empty()
                            && let Err(error) = elbv2.register(now, &group, &missing)
                        {
                            tracing::warn!(error = error.message, group, "the controller cannot register pods");
                        }
                    }
                }
                turn = clock.at(now + RECONCILE_EVERY);
            }
        })
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        if let Some(task) = self.reconciling.get_mut().expect("no holder of the lock panics") {
            task.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    fn controller() -> Controller {
        let clock = WorldClock::starting_at(Timestamp::UNIX_EPOCH, 3600.0);
        let pods = Pods::from([("users".to_owned(), vec![("10.0.0.1".to_owned(), 8080)])]);
        Controller::new(Arc::new(Mutex::new(Elbv2::new(1))), clock, pods)
    }

    fn manifest(version: &str, service: &str) -> String {
        format!(
            "apiVersion: {version}\nkind: TargetGroupBinding\nmetadata: {{ name: users }}\nspec:\n  \
             serviceRef: {{ name: {service}, port: 8080 }}\n  targetGroupName: users-new\n"
        )
    }

    #[tokio::test]
    async fn pods_are_registered_once_the_bound_group_exists() {
        let controller = controller();
        let both = format!("{}---\nkind: Deployment\nmetadata: {{ name: users }}\n", manifest(API_VERSION, "users"));
        let said = controller.apply(&both).unwrap();
        assert_eq!(said.len(), 2, "{said:?}");
        let now = controller.clock.now();
        let wanted = serde_json::json!({
            "Name": "users-new", "Protocol": "HTTP", "Port": 8080, "VpcId": "vpc-0a1b2c3d4e5f60718", "TargetType": "ip",
        });
        controller.elbv2.lock().unwrap().call_json(now, "CreateTargetGroup", &wanted).unwrap();
        let group = controller.elbv2.lock().unwrap().group_named("users-new").unwrap().to_owned();
        let work = controller.clock.work();
        drop(controller.clock.pause(work, std::time::Duration::from_secs(20)).await);
        assert_eq!(controller.elbv2.lock().unwrap().targets_of(&group), [("10.0.0.1".to_owned(), 8080)]);
    }

    #[tokio::test]
    async fn a_manifest_that_binds_nothing_is_refused_in_words() {
        for (manifests, expected) in [
            (manifest("v1", "users"), "apiVersion \"v1\": expected elbv2.k8s.aws/v1beta1"),
            (manifest(API_VERSION, "orders"), "service orders, which the new cluster does not have"),
            ("kind: TargetGroupBinding\napiVersion: elbv2.k8s.aws/v1beta1\n".to_owned(), "no spec.targetGroupName"),
            ("a: 1\n".to_owned(), "without a kind"),
            ("{".to_owned(), "not YAML"),
        ] {
            let refused = controller().apply(&manifests).unwrap_err();
            assert!(refused.contains(expected), "{refused}");
        }
    }
}
