//! The actions' ports to the load balancers, on the world's rules.

use super::{World, convert};
use crate::tree::Tree;
use crossfade_actions::ports::{
    Limits, Listener, LoadBalancer, NewGroup, PortError, Routes, Tagging, TargetGroups, TargetZone,
};
use crossfade_domain::alarms::tags;
use crossfade_domain::load_balancer::action::Action;
use crossfade_domain::load_balancer::group::{Attributes, HealthCheck, Tags, Target, TargetGroup, TargetHealth};
use crossfade_domain::load_balancer::our_tags::{may_be_of_stack, tag};
use crossfade_domain::load_balancer::route::{Route, RouteId};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn, ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

/// `DescribeTags` takes no more in one call; the other lists are asked for in the same portions.
const NAMES_IN_A_CALL: usize = 20;

impl World {
    pub(super) fn elb(&self, operation: &'static str, object: &str, input: &Tree) -> Result<Tree, PortError> {
        self.call(operation, object, |state| state.elbv2.call(state.now, operation, input))
    }

    /// Every item of a paginated list.
    pub(super) fn every(
        &self,
        operation: &'static str,
        list: &str,
        object: &str,
        mut input: Tree,
    ) -> Result<Vec<Tree>, PortError> {
        let mut items = Vec::new();
        loop {
            let page = self.elb(operation, object, &input)?;
            items.extend_from_slice(page.list_at(list));
            match page.text_at("NextMarker") {
                Some(marker) => input.set("Marker", marker),
                None => return Ok(items),
            }
        }
    }

    /// Those of `names` that exist. AWS refuses a whole list for one unknown name; then they are asked for one by one.
    fn existing(&self, operation: &'static str, list: &str, key: &str, names: &[&str]) -> Result<Vec<Tree>, PortError> {
        let describe = |names: &[&str]| {
            self.every(operation, list, &names.join(", "), Tree::map([(key, Tree::texts(names.iter().copied()))]))
        };
        let mut found = Vec::new();
        for portion in names.chunks(NAMES_IN_A_CALL) {
            match describe(portion) {
                Ok(items) => found.extend(items),
                Err(PortError::NotFound { .. }) => {
                    for name in portion {
                        match describe(&[name]) {
                            Ok(items) => found.extend(items),
                            Err(PortError::NotFound { .. }) => {}
                            Err(error) => return Err(error),
                        }
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(found)
    }
}

impl World {
    fn with_targets(
        &self,
        operation: &'static str,
        group: &TargetGroupArn,
        targets: &[Target],
        zone: TargetZone,
    ) -> Result<(), PortError> {
        if targets.is_empty() {
            return Ok(());
        }
        let in_zone = |target: &Target| match zone {
            TargetZone::OfTheirSubnet => convert::target_tree(target),
            TargetZone::All => convert::target_tree(target).with("AvailabilityZone", "all"),
        };
        let targets: Vec<Tree> = targets.iter().map(in_zone).collect();
        let input = Tree::map([("TargetGroupArn", group.as_str().into()), ("Targets", targets.into())]);
        self.elb(operation, group.as_str(), &input).map(drop)
    }

    /// Every group whose tags are wanted, with them.
    async fn groups_tagged(
        &self,
        wanted: impl Fn(&Tags) -> bool + Send,
    ) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let groups = self.every("DescribeTargetGroups", "TargetGroups", "every target group", Tree::new())?;
        let groups: Vec<TargetGroup> = groups.iter().map(convert::target_group).collect();
        let arns: Vec<String> = groups.iter().map(|group| group.arn.as_str().to_owned()).collect();
        let mut tags = self.tags(&arns).await?;
        let tagged = groups.into_iter().filter_map(|group| {
            let tags = tags.remove(group.arn.as_str())?;
            wanted(&tags).then_some((group, tags))
        });
        Ok(tagged.collect())
    }
}

#[async_trait::async_trait]
impl Routes for World {
    async fn load_balancers(&self, arns: &[LoadBalancerArn]) -> Result<Vec<LoadBalancer>, PortError> {
        let arns: Vec<&str> = arns.iter().map(LoadBalancerArn::as_str).collect();
        let found = self.existing("DescribeLoadBalancers", "LoadBalancers", "LoadBalancerArns", &arns)?;
        let balancer = |tree: &Tree| LoadBalancer {
            arn: convert::load_balancer_arn(tree.text_at("LoadBalancerArn").unwrap_or_default()),
            kind: tree.text_at("Type").unwrap_or_default().to_owned(),
            ip_address_type: tree.text_at("IpAddressType").map(str::to_owned),
        };
        Ok(found.iter().map(balancer).collect())
    }

    async fn listeners(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<Listener>, PortError> {
        let input = Tree::map([("LoadBalancerArn", load_balancer.as_str().into())]);
        let found = self.every("DescribeListeners", "Listeners", load_balancer.as_str(), input)?;
        Ok(found.iter().map(listener).collect())
    }

    async fn routes(&self, listener: &ListenerArn) -> Result<Vec<Route>, PortError> {
        let input = Tree::map([("ListenerArn", listener.as_str().into())]);
        let rules = self.every("DescribeRules", "Rules", listener.as_str(), input)?;
        Ok(rules.iter().map(route).collect())
    }

    async fn read_routes(&self, routes: &[RouteId]) -> Result<Vec<Route>, PortError> {
        let (rules, listeners): (Vec<&RouteId>, Vec<&RouteId>) =
            routes.iter().partition(|route| matches!(route, RouteId::Rule(_)));
        let rules: Vec<&str> = rules.into_iter().map(RouteId::as_str).collect();
        let listeners: Vec<&str> = listeners.into_iter().map(RouteId::as_str).collect();
        let rules = self.existing("DescribeRules", "Rules", "RuleArns", &rules)?;
        let listeners = self.existing("DescribeListeners", "Listeners", "ListenerArns", &listeners)?;
        let defaults = listeners.iter().map(listener).map(|listener| Route {
            id: RouteId::Default(listener.arn),
            load_balancer: listener.load_balancer,
            actions: listener.default_actions,
            requests: String::new(),
        });
        Ok(rules.iter().map(route).chain(defaults).collect())
    }

    async fn write_route(&self, route: &RouteId, actions: &[Action]) -> Result<(), PortError> {
        let (operation, id, list) = match route {
            RouteId::Rule(_) => ("ModifyRule", "RuleArn", "Actions"),
            RouteId::Default(_) => ("ModifyListener", "ListenerArn", "DefaultActions"),
        };
        let actions = convert::accepted_actions(operation, route.as_str(), actions)?;
        let input = Tree::map([(id, route.as_str().into()), (list, actions.into())]);
        self.elb(operation, route.as_str(), &input).map(drop)
    }
}

#[async_trait::async_trait]
impl TargetGroups for World {
    async fn target_groups(&self, names_or_arns: &[String]) -> Result<Vec<TargetGroup>, PortError> {
        let (arns, names): (Vec<&str>, Vec<&str>) =
            names_or_arns.iter().map(String::as_str).partition(|text| text.starts_with("arn:"));
        let mut found = self.existing("DescribeTargetGroups", "TargetGroups", "TargetGroupArns", &arns)?;
        found.extend(self.existing("DescribeTargetGroups", "TargetGroups", "Names", &names)?);
        Ok(found.iter().map(convert::target_group).collect())
    }

    async fn target_groups_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<TargetGroup>, PortError> {
        let input = Tree::map([("LoadBalancerArn", load_balancer.as_str().into())]);
        let groups = self.every("DescribeTargetGroups", "TargetGroups", load_balancer.as_str(), input)?;
        Ok(groups.iter().map(convert::target_group).collect())
    }

    async fn limits(&self) -> Result<Limits, PortError> {
        let answer = self.elb("DescribeAccountLimits", "the account", &Tree::map([]))?;
        let mut limits = Limits::default();
        for limit in answer.list_at("Limits") {
            let most = limit.number_at("Max").and_then(|most| u32::try_from(most).ok());
            match (limit.text_at("Name"), most) {
                (Some("targets-per-application-load-balancer"), Some(most)) => limits.targets = most,
                (Some("rules-per-application-load-balancer"), Some(most)) => limits.rules = most,
                _ => {}
            }
        }
        Ok(limits)
    }

    async fn attributes(&self, group: &TargetGroupArn) -> Result<Attributes, PortError> {
        let input = Tree::map([("TargetGroupArn", group.as_str().into())]);
        let answer = self.elb("DescribeTargetGroupAttributes", group.as_str(), &input)?;
        Ok(convert::pairs(answer.list_at("Attributes")))
    }

    async fn set_attributes(&self, group: &TargetGroupArn, attributes: &Attributes) -> Result<(), PortError> {
        // An empty value is how AWS reports an attribute that is not in use, and AWS refuses to be sent one.
        let given: Vec<Tree> = attributes
            .iter()
            .filter(|(_, value)| !value.is_empty())
            .map(|(key, value)| Tree::map([("Key", key.as_str().into()), ("Value", value.as_str().into())]))
            .collect();
        if given.is_empty() {
            return Ok(());
        }
        let input = Tree::map([("TargetGroupArn", group.as_str().into()), ("Attributes", given.into())]);
        self.elb("ModifyTargetGroupAttributes", group.as_str(), &input).map(drop)
    }

    async fn health(&self, group: &TargetGroupArn) -> Result<Vec<TargetHealth>, PortError> {
        let input = Tree::map([("TargetGroupArn", group.as_str().into())]);
        let answer = self.elb("DescribeTargetHealth", group.as_str(), &input)?;
        Ok(answer.list_at("TargetHealthDescriptions").iter().map(convert::target_health).collect())
    }

    async fn create_group(&self, group: &NewGroup) -> Result<TargetGroup, PortError> {
        let input = convert::new_group_tree(&group.name, &group.settings, &group.tags);
        let answer = self.elb("CreateTargetGroup", &group.name, &input)?;
        let created = answer.list_at("TargetGroups").first().expect("a created group is returned");
        Ok(convert::target_group(created))
    }

    async fn set_health_check(&self, group: &TargetGroupArn, health_check: &HealthCheck) -> Result<(), PortError> {
        let mut input = Tree::map([("TargetGroupArn", group.as_str().into())]);
        convert::set_health_check(&mut input, health_check);
        self.elb("ModifyTargetGroup", group.as_str(), &input).map(drop)
    }

    async fn delete_group(&self, group: &TargetGroupArn) -> Result<(), PortError> {
        let input = Tree::map([("TargetGroupArn", group.as_str().into())]);
        self.elb("DeleteTargetGroup", group.as_str(), &input).map(drop)
    }

    async fn register(&self, group: &TargetGroupArn, targets: &[Target], zone: TargetZone) -> Result<(), PortError> {
        self.with_targets("RegisterTargets", group, targets, zone)
    }

    async fn deregister(&self, group: &TargetGroupArn, targets: &[Target]) -> Result<(), PortError> {
        self.with_targets("DeregisterTargets", group, targets, TargetZone::OfTheirSubnet)
    }
}

#[async_trait::async_trait]
impl Tagging for World {
    fn stack(&self) -> String {
        "crossfade".to_owned()
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let stack = self.stack();
        let ours = |tags: &Tags| may_be_of_stack(tags, &stack);
        self.groups_tagged(|tags| ours(tags) && tags.get(tag::SERVICE).map(String::as_str) == Some(service.as_str()))
            .await
    }

    async fn all_guarded_groups(&self) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let stack = self.stack();
        self.groups_tagged(|found| may_be_of_stack(found, &stack) && tags::is_guarded(found)).await
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        let pair = |(key, value): (&String, &String)| {
            Tree::map([("Key", key.as_str().into()), ("Value", value.as_str().into())])
        };
        let tags: Vec<Tree> = tags.iter().map(pair).collect();
        let arns: Vec<Tree> = vec![group.as_str().into()];
        let input = Tree::map([("ResourceArns", arns.into()), ("Tags", tags.into())]);
        self.elb("AddTags", group.as_str(), &input).map(drop)
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        let keys: Vec<Tree> = keys.iter().map(|key| key.as_str().into()).collect();
        let arns: Vec<Tree> = vec![group.as_str().into()];
        let input = Tree::map([("ResourceArns", arns.into()), ("TagKeys", keys.into())]);
        self.elb("RemoveTags", group.as_str(), &input).map(drop)
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let arns: Vec<&str> = arns.iter().map(String::as_str).collect();
        let found = self.existing("DescribeTags", "TagDescriptions", "ResourceArns", &arns)?;
        let described = |tree: &Tree| {
            (tree.text_at("ResourceArn").unwrap_or_default().to_owned(), convert::pairs(tree.list_at("Tags")))
        };
        Ok(found.iter().map(described).filter(|(_, tags)| !tags.is_empty()).collect())
    }
}

fn listener(tree: &Tree) -> Listener {
    Listener {
        arn: listener_arn(tree.text_at("ListenerArn").unwrap_or_default()),
        load_balancer: convert::load_balancer_arn(tree.text_at("LoadBalancerArn").unwrap_or_default()),
        port: tree.number_at("Port").and_then(|port| u16::try_from(port).ok()),
        default_actions: convert::actions(tree.list_at("DefaultActions")),
    }
}

/// A rule's ARN holds its listener's and its load balancer's.
fn route(tree: &Tree) -> Route {
    let arn = tree.text_at("RuleArn").unwrap_or_default();
    let listener =
        arn.rsplit_once('/').map_or(arn, |(listener, _)| listener).replacen(":listener-rule/", ":listener/", 1);
    let balancer = listener.rsplit_once('/').map_or(arn, |(balancer, _)| balancer);
    let load_balancer = convert::load_balancer_arn(&balancer.replacen(":listener/", ":loadbalancer/", 1));
    let id = if tree.is_true_at("IsDefault") {
        RouteId::Default(listener_arn(&listener))
    } else {
        RouteId::Rule(RuleArn::parse(arn).expect("the world gives out whole ARNs"))
    };
    let requests = convert::requests(tree.list_at("Conditions"));
    Route { id, load_balancer, actions: convert::actions(tree.list_at("Actions")), requests }
}

pub(super) fn listener_arn(text: &str) -> ListenerArn {
    ListenerArn::parse(text).expect("the world gives out whole ARNs")
}
