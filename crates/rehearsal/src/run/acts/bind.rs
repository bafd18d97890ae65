//! The act of the pipelines: the manifests of every service are applied to the new cluster.

use super::{Played, Player, RehearsalError, counted, unplayed};
use crate::wiring::STACK;
use crossfade_domain::load_balancer::group::TargetGroup;
use crossfade_domain::planner::{internal_group_name, new_group_name};
use crossfade_domain::policy::manifest::{BoundGroup, manifests};
use crossfade_domain::policy::service_policy::{NewTargets, ServicePolicy};

impl Player<'_> {
    /// Applies what `crossfade manifests --all` prints.
    pub(super) async fn bind(&mut self) -> Result<Played, RehearsalError> {
        let groups = self.ports.survey.all_target_groups().await.map_err(unplayed("reading the target groups"))?;
        let has_binding = |service: &&ServicePolicy| matches!(service.new_targets, NewTargets::Binding(_));
        let bound: Vec<_> = self.policy().services.iter().filter(has_binding).collect();
        let wanted: Vec<_> = bound.iter().map(|service| (*service, bound_groups(service, &groups))).collect();
        let services = wanted.len();
        let applied = manifests(&wanted).and_then(|all| {
            let documents = all.iter().map(|one| serde_yaml_ng::to_string(&one.document));
            let text = documents.collect::<Result<Vec<_>, _>>().map_err(|error| error.to_string())?.join("---\n");
            self.rehearsal.controller.apply(&text)
        });
        let (bindings, wrong) = match applied {
            Ok(said) => (said.iter().filter(|line| line.starts_with("targetgroupbinding")).count(), Vec::new()),
            Err(problem) => (0, vec![problem]),
        };
        let counts = [("services", services), ("bindings", bindings), ("refused", wrong.len())];
        let summary =
            format!("{} deployed, {} applied", counted(services, "service"), counted(bindings, "TargetGroupBinding"));
        Ok(Played::new(counts, summary, wrong))
    }
}

/// The new group for each old one, and for the copy that serves an internal route.
fn bound_groups(service: &ServicePolicy, groups: &[TargetGroup]) -> Vec<BoundGroup> {
    let copy = internal_group_name(STACK, &service.name);
    let is_old = |group: &&TargetGroup| {
        let is_copy = group.name == copy && service.internal_route.is_some();
        is_copy || service.old_target_groups.iter().any(|old| *old == group.name || *old == group.arn.as_str())
    };
    let bound =
        |old: &TargetGroup| BoundGroup { name: Some(new_group_name(&service.name, &old.arn)), old: Some(old.clone()) };
    groups.iter().filter(is_old).map(bound).collect()
}
