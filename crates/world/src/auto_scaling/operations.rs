//! The operations of the API.

use super::{AutoScaling, Group, Source, State, deregister, not_found};
use crate::aws_error::AwsError;
use crate::elbv2::Elbv2;
use crate::tree::Tree;
use jiff::Timestamp;

/// AWS takes no more traffic sources in one call.
const SOURCES_IN_A_CALL: usize = 10;
/// Items of a page, unless fewer are asked for.
const PAGE: usize = 50;

impl AutoScaling {
    /// Runs one operation of the API, by AWS's name, on its parameters.
    pub fn call(&mut self, now: Timestamp, operation: &str, input: &Tree, elbv2: &mut Elbv2) -> Result<Tree, AwsError> {
        self.settle(now, elbv2);
        match operation {
            "DescribeAutoScalingGroups" => self.describe_groups(input),
            "DescribeInstanceRefreshes" => self.describe_refreshes(input),
            "DescribeTrafficSources" => self.describe_sources(input),
            "AttachTrafficSources" => self.attach(now, input, elbv2),
            "DetachTrafficSources" => self.detach(now, input, elbv2),
            _ => Err(AwsError::bad_request(
                "InvalidAction",
                format!("Could not find operation {operation} for version 2011-01-01"),
            )),
        }
    }

    fn describe_groups(&self, input: &Tree) -> Result<Tree, AwsError> {
        // A name that nothing has is left out.
        let asked = input.texts_at("AutoScalingGroupNames");
        let found = self.groups.iter().filter(|(name, _)| asked.is_empty() || asked.contains(&name.as_str()));
        page(input, "AutoScalingGroups", found.map(|(name, group)| group.described(name)).collect())
    }

    fn describe_refreshes(&self, input: &Tree) -> Result<Tree, AwsError> {
        let (name, group) = self.named(input)?;
        let refresh = |status: &str| {
            Tree::map([
                ("InstanceRefreshId", "08b91cf7-8fa6-48af-b6a6-d227f40f1b9b".into()),
                ("AutoScalingGroupName", name.into()),
                ("Status", status.into()),
            ])
        };
        let mut refreshes = vec![refresh("Successful")];
        if group.refreshing {
            refreshes.insert(0, refresh("InProgress"));
        }
        Ok(Tree::map([("InstanceRefreshes", refreshes.into())]))
    }

    fn describe_sources(&self, input: &Tree) -> Result<Tree, AwsError> {
        let (_, group) = self.named(input)?;
        let described = |(arn, source): (&String, &Source)| {
            Tree::map([
                ("Identifier", arn.as_str().into()),
                ("Type", "elbv2".into()),
                ("State", source.state.as_str().into()),
            ])
        };
        page(input, "TrafficSources", group.sources.iter().map(described).collect())
    }

    fn attach(&mut self, now: Timestamp, input: &Tree, elbv2: &mut Elbv2) -> Result<Tree, AwsError> {
        let (name, sources) = self.changed(input)?;
        for source in &sources {
            match elbv2.target_type_of_group(source) {
                Some("instance") => {}
                found => {
                    return Err(AwsError::validation(format!(
                        "Provided Target Groups may not be valid. Please ensure they exist and try again: {source} is \
                         of type {found:?}"
                    )));
                }
            }
        }
        let group = self.groups.get_mut(&name).ok_or_else(|| not_found(&name))?;
        for source in sources {
            let known = group.sources.get(&source).filter(|known| known.state != State::Removing);
            if known.is_none() {
                group.sources.insert(source, Source { state: State::Adding, since: now });
            }
        }
        self.settle(now, elbv2);
        Ok(Tree::new())
    }

    fn detach(&mut self, now: Timestamp, input: &Tree, elbv2: &mut Elbv2) -> Result<Tree, AwsError> {
        let (name, sources) = self.changed(input)?;
        let group = self.groups.get_mut(&name).ok_or_else(|| not_found(&name))?;
        if let Some(unknown) = sources.iter().find(|source| !group.sources.contains_key(*source)) {
            return Err(AwsError::validation(format!(
                "Trying to remove Traffic Sources that are not part of the group: {unknown}"
            )));
        }
        for source in sources {
            let throttle = elbv2.set_throttle(None);
            deregister(now, elbv2, &source, &group.instances);
            elbv2.set_throttle(throttle);
            group.sources.insert(source, Source { state: State::Removing, since: now });
        }
        Ok(Tree::new())
    }

    fn named<'a>(&'a self, input: &'a Tree) -> Result<(&'a str, &'a Group), AwsError> {
        let name = input.text_at("AutoScalingGroupName").unwrap_or_default();
        self.groups.get(name).map(|group| (name, group)).ok_or_else(|| not_found(name))
    }

    /// The group that is to be changed, and the target groups that the call names.
    fn changed(&self, input: &Tree) -> Result<(String, Vec<String>), AwsError> {
        let (name, group) = self.named(input)?;
        if group.refreshing {
            return Err(AwsError::bad_request(
                "InstanceRefreshInProgress",
                format!(
                    "An Instance Refresh is already in progress and blocks the execution of this operation on {name}"
                ),
            ));
        }
        let sources = input.list_at("TrafficSources");
        if sources.is_empty() || sources.len() > SOURCES_IN_A_CALL {
            return Err(AwsError::validation(format!(
                "{} traffic sources: expected 1 to {SOURCES_IN_A_CALL}",
                sources.len()
            )));
        }
        let identifier = |source: &Tree| match (source.text_at("Identifier"), source.text_at("Type")) {
            (Some(identifier), Some("elbv2")) => Ok(identifier.to_owned()),
            other => Err(AwsError::validation(format!("{other:?}: expected an identifier of type elbv2"))),
        };
        Ok((name.to_owned(), sources.iter().map(identifier).collect::<Result<_, _>>()?))
    }
}

impl Group {
    fn described(&self, name: &str) -> Tree {
        let instance = |id: &String| {
            Tree::map([
                ("InstanceId", id.as_str().into()),
                ("AvailabilityZone", "eu-west-1a".into()),
                ("LifecycleState", "InService".into()),
                ("HealthStatus", "Healthy".into()),
                ("ProtectedFromScaleIn", "false".into()),
            ])
        };
        let source = |arn: &String| Tree::map([("Identifier", arn.as_str().into()), ("Type", "elbv2".into())]);
        let count = i64::try_from(self.instances.len()).unwrap_or(i64::MAX);
        let attached: Vec<&String> =
            self.sources.iter().filter(|(_, one)| one.state != State::Removing).map(|(arn, _)| arn).collect();
        Tree::map([
            ("AutoScalingGroupName", name.into()),
            ("AutoScalingGroupARN", Self::arn(name).into()),
            ("MinSize", 0.into()),
            ("MaxSize", 100.into()),
            ("DesiredCapacity", count.into()),
            ("DefaultCooldown", 300.into()),
            ("AvailabilityZones", Tree::texts(["eu-west-1a"])),
            ("HealthCheckType", self.health_check_type.as_str().into()),
            ("CreatedTime", "2026-01-01T00:00:00Z".into()),
            ("Instances", self.instances.iter().map(instance).collect::<Vec<_>>().into()),
            ("TargetGroupARNs", Tree::texts(attached.iter().map(|arn| arn.as_str()))),
            ("TrafficSources", attached.iter().map(|arn| source(arn)).collect::<Vec<_>>().into()),
        ])
    }
}

/// One page of a list; its token is the number of the next item.
fn page(input: &Tree, list: &str, items: Vec<Tree>) -> Result<Tree, AwsError> {
    let size = input.number_at("MaxRecords").and_then(|most| usize::try_from(most).ok()).unwrap_or(PAGE).clamp(1, PAGE);
    let token = input.text_at("NextToken").unwrap_or("0");
    let from: usize = token
        .parse()
        .map_err(|_| AwsError::bad_request("InvalidNextToken", format!("the token {token:?} is not valid")))?;
    let more = items.len() > from + size;
    let items: Vec<Tree> = items.into_iter().skip(from).take(size).collect();
    let page = Tree::map([(list, items.into())]);
    Ok(if more { page.with("NextToken", (from + size).to_string()) } else { page })
}
