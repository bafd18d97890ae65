//! Describes requests in IAM's terms: actions, their resources, and what a condition can check.
//!
//! Most operations are one action with the same name. The exceptions are those that AWS documents: the actions in a
//! transaction authorise it, and creating with tags needs permission to tag. The service authorization reference lists
//! which actions have a resource; all others are on `*`.

use crate::endpoints::front_door::{Call, CallFault, CallObserver, NoFaults};
use crate::endpoints::query_protocol::form_pairs;
use crate::wiring::{ACCOUNT, REGION};
use bytes::Bytes;
use crossfade_world::elbv2::Elbv2;
use http::Request;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One permission that a role needs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IamAccess {
    /// The action, such as `elasticloadbalancing:ModifyRule`.
    pub action: String,
    /// The resource's ARN; `*` if AWS has no resource for the action.
    pub resource: String,
    /// The condition keys with their values, such as `aws:ResourceTag/managed-by`. Several values of one key, as for
    /// `aws:TagKeys`, are separated by commas, which a tag's key cannot contain.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
}

impl IamAccess {
    /// Creates an access without a condition key.
    pub fn new(action: impl Into<String>, resource: impl Into<String>) -> Self {
        Self { action: action.into(), resource: resource.into(), context: BTreeMap::new() }
    }

    /// Adds a condition key.
    #[must_use]
    pub fn with(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.context.insert(key.into(), value.into());
        self
    }

    /// Returns what a request asks for. `tags` returns the tags of an ARN.
    pub fn of(call: &Call, request: &Request<Bytes>, tags: impl Fn(&str) -> BTreeMap<String, String>) -> Vec<Self> {
        match call.service.as_str() {
            "elasticloadbalancing" => of_load_balancers(call, request.body(), tags),
            "dynamodb" => of_table(call, request.body()),
            "states" => vec![of_states(call, request.body())],
            "monitoring" => of_cloudwatch(call, request.body()),
            "ssm" => of_calendars(call, request.body()),
            "autoscaling" => vec![of_scaling_groups(call, request.body())],
            // Everyone may ask for their own identity.
            "sts" => Vec::new(),
            other => vec![Self::new(format!("{other}:{}", call.operation), "*")],
        }
    }
}

fn of_load_balancers(call: &Call, body: &[u8], tags: impl Fn(&str) -> BTreeMap<String, String>) -> Vec<IamAccess> {
    let body = String::from_utf8_lossy(body);
    let pairs: BTreeMap<String, String> = form_pairs(&body).collect();
    let action = format!("elasticloadbalancing:{}", call.operation);
    if call.operation.starts_with("Describe") {
        return vec![IamAccess::new(action, "*")];
    }
    if call.operation == "CreateTargetGroup" {
        // Its ARN will end in an id that it does not have yet.
        let name = pairs.get("Name").map_or("", String::as_str);
        let arn = format!("arn:aws:elasticloadbalancing:{REGION}:{ACCOUNT}:targetgroup/{name}/0");
        return creation(call, &pairs, &arn, &arn);
    }
    if let Some((on, created)) = created_route(&call.operation, &pairs) {
        return creation(call, &pairs, &on, &created);
    }
    let members = ["RuleArn", "ListenerArn", "TargetGroupArn", "LoadBalancerArn"];
    let named = members.iter().find_map(|member| pairs.get(*member)).cloned();
    let arns = pairs.iter().filter(|(name, _)| name.starts_with("ResourceArns.member.")).map(|(_, arn)| arn.clone());
    let mut arns: Vec<String> = named.into_iter().chain(arns).collect();
    if arns.is_empty() {
        arns.push("*".to_owned());
    }
    // What a condition can check of `AddTags` and `RemoveTags`: the tags that are set, and the keys of all.
    let keys: Vec<&str> = pairs
        .iter()
        .filter(|(name, _)| name.starts_with("TagKeys.member.") || is_key_of_tag(name))
        .map(|(_, key)| key.as_str())
        .collect();
    let on = |arn: String| {
        let tagged = tags(&arn);
        let access = IamAccess::new(action.clone(), arn);
        let access =
            tags_in(&pairs).fold(access, |access, (key, value)| access.with(format!("aws:RequestTag/{key}"), value));
        let access = if keys.is_empty() { access } else { access.with("aws:TagKeys", keys.join(",")) };
        tagged.into_iter().fold(access, |access, (key, value)| access.with(format!("aws:ResourceTag/{key}"), value))
    };
    arns.into_iter().map(on).collect()
}

/// To create something with tags needs the right to tag it.
fn creation(call: &Call, pairs: &BTreeMap<String, String>, on: &str, created: &str) -> Vec<IamAccess> {
    let with_tags = |action: &str, arn: &str| {
        let access = IamAccess::new(format!("elasticloadbalancing:{action}"), arn);
        tags_in(pairs).fold(access, |access, (key, value)| access.with(format!("aws:RequestTag/{key}"), value))
    };
    let create = with_tags(&call.operation, on);
    let tag = with_tags("AddTags", created).with("elasticloadbalancing:CreateAction", call.operation.as_str());
    if create.context.is_empty() { vec![create] } else { vec![create, tag] }
}

/// For an operation that creates a rule or a listener: on what, and what becomes of it, whose ARN ends in an id that it
/// does not have yet.
fn created_route(operation: &str, pairs: &BTreeMap<String, String>) -> Option<(String, String)> {
    let (member, parent, child) = match operation {
        "CreateRule" => ("ListenerArn", ":listener/", ":listener-rule/"),
        "CreateListener" => ("LoadBalancerArn", ":loadbalancer/", ":listener/"),
        _ => return None,
    };
    let arn = pairs.get(member)?.clone();
    let created = format!("{}/0", arn.replace(parent, child));
    Some((arn, created))
}

fn is_key_of_tag(name: &str) -> bool {
    name.starts_with("Tags.member.") && name.ends_with(".Key")
}

/// `Tags.member.1.Key=...&Tags.member.1.Value=...`
fn tags_in(pairs: &BTreeMap<String, String>) -> impl Iterator<Item = (&String, &String)> {
    pairs.iter().filter_map(|(name, key)| {
        let stem = name.strip_prefix("Tags.member.")?.strip_suffix(".Key")?;
        Some((key, pairs.get(&format!("Tags.member.{stem}.Value"))?))
    })
}

fn of_table(call: &Call, body: &[u8]) -> Vec<IamAccess> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let on_table = |action: &str, table: &str| {
        IamAccess::new(format!("dynamodb:{action}"), format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}"))
    };
    let on = |action: &str, named: &Value| on_table(action, named["TableName"].as_str().unwrap_or_default());
    if let Some(tables) = body["RequestItems"].as_object() {
        return tables.keys().map(|table| on_table(&call.operation, table)).collect();
    }
    let Some(items) = body["TransactItems"].as_array() else { return vec![on(&call.operation, &body)] };
    let of_item = |item: &Value| {
        let (kind, inside) = item.as_object()?.iter().next()?;
        // There is no permission for a transaction. Only `ConditionCheck` is an action with another name.
        let action = match kind.as_str() {
            "ConditionCheck" => "ConditionCheckItem".to_owned(),
            other => format!("{other}Item"),
        };
        Some(on(&action, inside))
    };
    let distinct: BTreeSet<IamAccess> = items.iter().filter_map(of_item).collect();
    distinct.into_iter().collect()
}

fn of_states(call: &Call, body: &[u8]) -> IamAccess {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let arn = ["executionArn", "stateMachineArn"].iter().find_map(|name| body[name].as_str());
    IamAccess::new(format!("states:{}", call.operation), arn.unwrap_or("*"))
}

fn of_cloudwatch(call: &Call, body: &[u8]) -> Vec<IamAccess> {
    let action = format!("cloudwatch:{}", call.operation);
    if call.operation == "ListTagsForResource" {
        let body = crate::endpoints::cloudwatch::decoded(body);
        return vec![IamAccess::new(action, body["ResourceARN"].as_str().unwrap_or("*"))];
    }
    // Other reads are on `*`. Composite alarms are listed only there, and metric data has no resource.
    if call.operation.starts_with("Describe") || call.operation.starts_with("Get") {
        return vec![IamAccess::new(action, "*")];
    }
    let body = crate::endpoints::cloudwatch::decoded(body);
    let arn =
        |name: &Value| format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{}", name.as_str().unwrap_or_default());
    match (body.get("AlarmName"), body["AlarmNames"].as_array()) {
        (Some(name), _) => {
            let tags: Vec<&Value> = body["Tags"].as_array().into_iter().flatten().collect();
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let with_tags = |access: IamAccess| {
                tags.iter().fold(access, |access, tag| {
                    access.with(format!("aws:RequestTag/{}", text(&tag["Key"])), text(&tag["Value"]))
                })
            };
            let mut all = vec![with_tags(IamAccess::new(action, arn(name)))];
            if !tags.is_empty() {
                all.push(with_tags(IamAccess::new("cloudwatch:TagResource", arn(name))));
            }
            all
        }
        (None, Some(names)) => names.iter().map(|name| IamAccess::new(action.clone(), arn(name))).collect(),
        (None, None) => vec![IamAccess::new(action, "*")],
    }
}

/// A change is of one group, whose ARN also has an id that no caller knows. No read can be limited to a group.
fn of_scaling_groups(call: &Call, body: &[u8]) -> IamAccess {
    let action = format!("autoscaling:{}", call.operation);
    if call.operation.starts_with("Describe") {
        return IamAccess::new(action, "*");
    }
    let body = String::from_utf8_lossy(body);
    let pairs: BTreeMap<String, String> = form_pairs(&body).collect();
    let name = pairs.get("AutoScalingGroupName").map_or("", String::as_str);
    let arn = format!("arn:aws:autoscaling:{REGION}:{ACCOUNT}:autoScalingGroup:0:autoScalingGroupName/{name}");
    IamAccess::new(action, arn)
}

/// A calendar is a document, by its name or its ARN.
fn of_calendars(call: &Call, body: &[u8]) -> Vec<IamAccess> {
    let body: Value = serde_json::from_slice(body).unwrap_or_default();
    let names = body["CalendarNames"].as_array().into_iter().flatten().filter_map(Value::as_str);
    let arn = |name: &str| match name.strip_prefix("arn:") {
        Some(_) => name.to_owned(),
        None => format!("arn:aws:ssm:{REGION}:{ACCOUNT}:document/{name}"),
    };
    names.map(|name| IamAccess::new(format!("ssm:{}", call.operation), arn(name))).collect()
}

/// Records every caller's permissions, and how often it called each operation.
pub struct AccessLog {
    inner: Arc<dyn CallObserver>,
    load_balancers: Option<Arc<Mutex<Elbv2>>>,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    accesses: BTreeMap<String, BTreeSet<IamAccess>>,
    calls: Calls,
}

/// Calls by caller and operation, such as `crossfade-shift-weight` and `elasticloadbalancing:ModifyRule`.
pub type Calls = BTreeMap<String, BTreeMap<String, u64>>;

impl Default for AccessLog {
    fn default() -> Self {
        Self { inner: Arc::new(NoFaults), load_balancers: None, seen: Mutex::default() }
    }
}

impl AccessLog {
    /// Records what passes to `inner`. The tags of what is changed come from these load balancers.
    pub fn around(inner: Arc<dyn CallObserver>, load_balancers: Arc<Mutex<Elbv2>>) -> Self {
        Self { inner, load_balancers: Some(load_balancers), seen: Mutex::default() }
    }

    /// Returns the permissions that each caller used. A function's name is the caller; a caller without a name is
    /// empty.
    pub fn accesses(&self) -> BTreeMap<String, BTreeSet<IamAccess>> {
        self.seen().accesses.clone()
    }

    /// The same, and forgets what it returns.
    pub fn take(&self) -> BTreeMap<String, BTreeSet<IamAccess>> {
        std::mem::take(&mut self.seen().accesses)
    }

    /// Returns how often each caller called each operation.
    pub fn calls(&self) -> Calls {
        self.seen().calls.clone()
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tags_of(&self, arn: &str) -> BTreeMap<String, String> {
        let Some(load_balancers) = &self.load_balancers else { return BTreeMap::new() };
        load_balancers.lock().unwrap_or_else(PoisonError::into_inner).tags_of(arn)
    }
}

impl CallObserver for AccessLog {
    fn asked(&self, call: &Call, request: &Request<Bytes>) {
        let caller = call.caller.clone().unwrap_or_default();
        let accesses = IamAccess::of(call, request, |arn| self.tags_of(arn));
        let mut seen = self.seen();
        seen.accesses.entry(caller.clone()).or_default().extend(accesses);
        let operation = format!("{}:{}", call.service, call.operation);
        let calls = seen.calls.entry(caller).or_default();
        if call.operation == "GetMetricData" {
            // AWS charges it by the metric.
            let metrics = crate::endpoints::cloudwatch::decoded(request.body())["MetricDataQueries"]
                .as_array()
                .map_or(0, Vec::len);
            *calls.entry(format!("{operation} (metrics)")).or_default() += metrics as u64;
        }
        *calls.entry(operation).or_default() += 1;
    }

    fn before(&self, call: &Call) -> CallFault {
        self.inner.before(call)
    }

    fn after(&self, call: &Call) {
        self.inner.after(call);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossfade_world::elbv2;

    fn asked(service: &str, operation: &str, body: &str) -> Vec<IamAccess> {
        let call = Call { service: service.into(), operation: operation.into(), caller: None, body: Bytes::new() };
        let tags = |arn: &str| BTreeMap::from([("of".to_owned(), arn.to_owned())]);
        IamAccess::of(&call, &Request::new(Bytes::copy_from_slice(body.as_bytes())), tags)
    }

    #[test]
    fn a_write_is_on_what_it_names_with_its_tags() {
        let body = "Action=ModifyRule&RuleArn=arn%3Arule&Actions.member.1.Type=forward";
        let expected =
            IamAccess::new("elasticloadbalancing:ModifyRule", "arn:rule").with("aws:ResourceTag/of", "arn:rule");
        assert_eq!(asked("elasticloadbalancing", "ModifyRule", body), [expected]);
        let body = "Action=DescribeRules&ListenerArn=arn%3Alistener";
        let expected = IamAccess::new("elasticloadbalancing:DescribeRules", "*");
        assert_eq!(asked("elasticloadbalancing", "DescribeRules", body), [expected]);
    }

    #[test]
    fn creating_with_tags_is_creating_and_tagging() {
        let body = "Name=users&Tags.member.1.Key=managed-by&Tags.member.1.Value=crossfade";
        let arn = "arn:aws:elasticloadbalancing:eu-west-1:000000000000:targetgroup/users/0";
        let tagged = |action: &str| IamAccess::new(action, arn).with("aws:RequestTag/managed-by", "crossfade");
        let tag = tagged("elasticloadbalancing:AddTags").with("elasticloadbalancing:CreateAction", "CreateTargetGroup");
        let expected = [tagged("elasticloadbalancing:CreateTargetGroup"), tag];
        assert_eq!(asked("elasticloadbalancing", "CreateTargetGroup", body), expected);
    }

    #[test]
    fn changing_tags_shows_what_is_set_and_every_key() {
        let body = "ResourceArns.member.1=arn%3Ag&Tags.member.1.Key=a&Tags.member.1.Value=1&Tags.member.2.Key=b&\
                    Tags.member.2.Value=2";
        let on = |action: &str| IamAccess::new(action, "arn:g").with("aws:ResourceTag/of", "arn:g");
        let add = on("elasticloadbalancing:AddTags").with("aws:TagKeys", "a,b");
        let add = add.with("aws:RequestTag/a", "1").with("aws:RequestTag/b", "2");
        assert_eq!(asked("elasticloadbalancing", "AddTags", body), [add]);
        let body = "ResourceArns.member.1=arn%3Ag&TagKeys.member.1=a&TagKeys.member.2=b";
        let remove = on("elasticloadbalancing:RemoveTags").with("aws:TagKeys", "a,b");
        assert_eq!(asked("elasticloadbalancing", "RemoveTags", body), [remove]);
    }

    #[test]
    fn a_transaction_is_what_is_in_it() {
        let body = r#"{"TransactItems": [{"Put": {"TableName": "t"}}, {"Put": {"TableName": "t"}},
            {"Delete": {"TableName": "t"}},
            {"ConditionCheck": {"TableName": "t"}}]}"#;
        let actions: Vec<String> =
            asked("dynamodb", "TransactWriteItems", body).into_iter().map(|it| it.action).collect();
        assert_eq!(actions, ["dynamodb:ConditionCheckItem", "dynamodb:DeleteItem", "dynamodb:PutItem"]);
        let expected = IamAccess::new("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:000000000000:table/t");
        assert_eq!(asked("dynamodb", "GetItem", r#"{"TableName": "t"}"#), [expected]);
        let expected = IamAccess::new("dynamodb:BatchGetItem", "arn:aws:dynamodb:eu-west-1:000000000000:table/t");
        assert_eq!(asked("dynamodb", "BatchGetItem", r#"{"RequestItems": {"t": {"Keys": []}}}"#), [expected]);
    }

    #[test]
    fn executions_and_machines_are_named_by_their_arns() {
        let expected = [IamAccess::new("states:DescribeExecution", "arn:e")];
        assert_eq!(asked("states", "DescribeExecution", r#"{"executionArn": "arn:e"}"#), expected);
        let expected = [IamAccess::new("states:StartExecution", "arn:m")];
        assert_eq!(asked("states", "StartExecution", r#"{"stateMachineArn": "arn:m", "input": "{}"}"#), expected);
        assert_eq!(asked("sts", "GetCallerIdentity", ""), []);
    }

    #[test]
    fn a_calendar_is_a_document() {
        let arn = "arn:aws:ssm:eu-west-1:000000000000:document/change-freeze";
        let expected = [IamAccess::new("ssm:GetCalendarState", arn)];
        for name in ["change-freeze", arn] {
            let body = serde_json::json!({"CalendarNames": [name]}).to_string();
            assert_eq!(asked("ssm", "GetCalendarState", &body), expected);
        }
    }

    #[test]
    fn the_load_balancers_are_in_the_account_of_everything_else() {
        assert_eq!((elbv2::REGION, elbv2::ACCOUNT), (REGION, ACCOUNT));
    }
}
