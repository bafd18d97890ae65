//! The actions' ports to rules and to a whole account, on the world's rules.

use super::{World, convert, load_balancers::listener_arn};
use crate::tree::Tree;
use crossfade_actions::ports::{NewListener, NewRule, PortError, Rules, Survey, SurveyedBalancer, SurveyedListener};
use crossfade_domain::load_balancer::group::{Attributes, TargetGroup};
use crossfade_domain::load_balancer::route::RouteId;
use crossfade_domain::load_balancer::rule::{Condition, Field, Rule};
use crossfade_domain::names::{ListenerArn, LoadBalancerArn, RuleArn};

#[async_trait::async_trait]
impl Rules for World {
    async fn rules(&self, listener: &ListenerArn) -> Result<Vec<Rule>, PortError> {
        let input = Tree::map([("ListenerArn", listener.as_str().into())]);
        let rules = self.every("DescribeRules", "Rules", listener.as_str(), input)?;
        Ok(rules.iter().map(|tree| rule(tree, listener)).collect())
    }

    async fn create_rule(&self, rule: &NewRule) -> Result<RuleArn, PortError> {
        let object = rule.listener.as_str();
        let conditions: Vec<Tree> = rule.conditions.iter().map(condition_tree).collect();
        let input = Tree::map([
            ("ListenerArn", object.into()),
            ("Priority", i64::from(rule.priority).into()),
            ("Conditions", conditions.into()),
            ("Actions", convert::accepted_actions("CreateRule", object, &rule.actions)?.into()),
            ("Tags", convert::tag_trees(&rule.tags).into()),
        ]);
        let answer = self.elb("CreateRule", object, &input)?;
        let arn = answer.list_at("Rules").first().and_then(|rule| rule.text_at("RuleArn")).unwrap_or_default();
        Ok(RuleArn::parse(arn).expect("the world gives out whole ARNs"))
    }

    async fn delete_rule(&self, rule: &RuleArn) -> Result<(), PortError> {
        let input = Tree::map([("RuleArn", rule.as_str().into())]);
        gone_is_fine(self.elb("DeleteRule", rule.as_str(), &input))
    }

    async fn create_listener(&self, listener: &NewListener) -> Result<ListenerArn, PortError> {
        let object = listener.load_balancer.as_str();
        let input = Tree::map([
            ("LoadBalancerArn", object.into()),
            ("Protocol", "HTTP".into()),
            ("Port", i64::from(listener.port).into()),
            ("DefaultActions", convert::accepted_actions("CreateListener", object, &listener.actions)?.into()),
            ("Tags", convert::tag_trees(&listener.tags).into()),
        ]);
        let answer = self.elb("CreateListener", object, &input)?;
        let created = answer.list_at("Listeners").first().and_then(|listener| listener.text_at("ListenerArn"));
        Ok(listener_arn(created.unwrap_or_default()))
    }

    async fn delete_listener(&self, listener: &ListenerArn) -> Result<(), PortError> {
        let input = Tree::map([("ListenerArn", listener.as_str().into())]);
        gone_is_fine(self.elb("DeleteListener", listener.as_str(), &input))
    }
}

#[async_trait::async_trait]
impl Survey for World {
    async fn all_load_balancers(&self) -> Result<Vec<SurveyedBalancer>, PortError> {
        let found = self.every("DescribeLoadBalancers", "LoadBalancers", "every load balancer", Tree::new())?;
        let balancer = |tree: &Tree| {
            let text = |key: &str| tree.text_at(key).unwrap_or_default().to_owned();
            let zones = tree.list_at("AvailabilityZones").iter().filter_map(|zone| zone.text_at("ZoneName"));
            SurveyedBalancer {
                arn: convert::load_balancer_arn(&text("LoadBalancerArn")),
                name: text("LoadBalancerName"),
                kind: text("Type"),
                scheme: text("Scheme"),
                dns_name: text("DNSName"),
                hosted_zone: tree.text_at("CanonicalHostedZoneId").map(str::to_owned),
                vpc: tree.text_at("VpcId").map(str::to_owned),
                security_groups: tree.texts_at("SecurityGroups").into_iter().map(str::to_owned).collect(),
                zones: zones.map(str::to_owned).collect(),
            }
        };
        Ok(found.iter().map(balancer).collect())
    }

    async fn listeners_of(&self, load_balancer: &LoadBalancerArn) -> Result<Vec<SurveyedListener>, PortError> {
        let input = Tree::map([("LoadBalancerArn", load_balancer.as_str().into())]);
        let found = self.every("DescribeListeners", "Listeners", load_balancer.as_str(), input)?;
        let listener = |tree: &Tree| SurveyedListener {
            arn: listener_arn(tree.text_at("ListenerArn").unwrap_or_default()),
            port: tree.number_at("Port").and_then(|port| u16::try_from(port).ok()),
            protocol: tree.text_at("Protocol").unwrap_or_default().to_owned(),
        };
        Ok(found.iter().map(listener).collect())
    }

    async fn balancer_attributes(&self, load_balancer: &LoadBalancerArn) -> Result<Attributes, PortError> {
        let input = Tree::map([("LoadBalancerArn", load_balancer.as_str().into())]);
        let answer = self.elb("DescribeLoadBalancerAttributes", load_balancer.as_str(), &input)?;
        Ok(convert::pairs(answer.list_at("Attributes")))
    }

    async fn all_target_groups(&self) -> Result<Vec<TargetGroup>, PortError> {
        let groups = self.every("DescribeTargetGroups", "TargetGroups", "every target group", Tree::new())?;
        Ok(groups.iter().map(convert::target_group).collect())
    }
}

fn gone_is_fine(answer: Result<Tree, PortError>) -> Result<(), PortError> {
    match answer {
        Ok(_) | Err(PortError::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

fn rule(tree: &Tree, listener: &ListenerArn) -> Rule {
    let arn = tree.text_at("RuleArn").unwrap_or_default();
    let id = if tree.is_true_at("IsDefault") {
        RouteId::Default(listener.clone())
    } else {
        RouteId::Rule(RuleArn::parse(arn).expect("the world gives out whole ARNs"))
    };
    Rule {
        id,
        priority: tree.text_at("Priority").and_then(|priority| priority.parse().ok()),
        conditions: tree.list_at("Conditions").iter().map(condition).collect(),
        actions: convert::actions(tree.list_at("Actions")),
    }
}

fn condition(tree: &Tree) -> Condition {
    let (field, values) = convert::field_and_values(tree);
    let configs = ["HostHeaderConfig", "PathPatternConfig", "HttpHeaderConfig"];
    let regex = configs.iter().filter_map(|config| tree.get(config)).chain([tree]);
    let regex = regex.map(|config| config.texts_at("RegexValues").len()).sum::<usize>() > 0;
    Condition { field: Field::from(field), values, regex }
}

fn condition_tree(condition: &Condition) -> Tree {
    let key = if condition.regex { "RegexValues" } else { "Values" };
    let values = || Tree::map([(key, Tree::texts(condition.values.iter().map(String::as_str)))]);
    let (field, config, value) = match &condition.field {
        Field::Host => ("host-header", "HostHeaderConfig", values()),
        Field::Path => ("path-pattern", "PathPatternConfig", values()),
        Field::Method => ("http-request-method", "HttpRequestMethodConfig", values()),
        Field::SourceIp => ("source-ip", "SourceIpConfig", values()),
        Field::Header(name) => ("http-header", "HttpHeaderConfig", values().with("HttpHeaderName", name.as_str())),
        Field::Query => ("query-string", "QueryStringConfig", Tree::map([("Values", pairs(condition).into())])),
        Field::Other(name) => (name.as_str(), "Unknown", values()),
    };
    Tree::map([("Field", field.into()), (config, value)])
}

fn pairs(condition: &Condition) -> Vec<Tree> {
    let pair = |text: &String| match text.split_once('=') {
        Some((key, value)) => Tree::map([("Key", key.into()), ("Value", value.into())]),
        None => Tree::map([("Value", text.as_str().into())]),
    };
    condition.values.iter().map(pair).collect()
}
