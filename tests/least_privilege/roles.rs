//! Who may do what, as the template says it.

use super::policy::Statement;
use crate::template::resolved::resolved;
use serde_json::Value as Json;
use serde_yaml_ng::Value;

/// A role, or a policy of its own, with its statements.
#[derive(Debug, Clone)]
pub(super) struct Holder {
    /// Its name in the template.
    pub(super) name: String,
    pub(super) statements: Vec<Statement>,
}

/// Everybody with a right of ours. The roles of continuous integration have theirs in `CiPolicy`.
pub(super) fn holders(template: &Value) -> Vec<Holder> {
    let mut holders = Vec::new();
    for (name, resource) in template["Resources"].as_mapping().unwrap() {
        let of_type = resource["Type"].as_str().unwrap();
        let properties = || resolved(template, &resource["Properties"]);
        let documents: Vec<Json> = match of_type {
            "AWS::IAM::Role" => {
                let policies = properties()["Policies"].as_array().cloned().unwrap_or_default();
                policies.into_iter().map(|mut policy| policy["PolicyDocument"].take()).collect()
            }
            "AWS::IAM::ManagedPolicy" | "AWS::SQS::QueuePolicy" | "AWS::SNS::TopicPolicy" => {
                vec![properties()["PolicyDocument"].take()]
            }
            _ => continue,
        };
        let statements: Vec<Statement> = documents
            .iter()
            .flat_map(|document| document["Statement"].as_array().unwrap())
            .map(Statement::of)
            .collect();
        if !statements.is_empty() {
            holders.push(Holder { name: name.as_str().unwrap().to_owned(), statements });
        }
    }
    holders
}

/// The role of a deployed function; none where there is no such function.
pub(super) fn of_function(template: &Value, function: &str) -> Option<String> {
    let mut resources = template["Resources"].as_mapping().unwrap().iter();
    let (_, found) = resources.find(|(_, resource)| {
        resource["Type"].as_str() == Some("AWS::Serverless::Function")
            && resolved(template, &resource["Properties"]["FunctionName"]) == function
    })?;
    Some(role_in(&found["Properties"]["Role"]))
}

/// `!GetAtt SomeRole.Arn`
pub(super) fn role_in(reference: &Value) -> String {
    let Value::Tagged(tagged) = reference else { panic!("a role is named by !GetAtt, found {reference:?}") };
    tagged.value.as_str().unwrap().strip_suffix(".Arn").unwrap().to_owned()
}
