//! The template with its references resolved: the stack is called `crossfade`, account and region are those of the
//! local world, and every condition is true.

use super::at;
use crossfade_rehearsal::wiring::{ACCOUNT, REGION, STACK};
use serde_json::{Map, Value as Json};
use serde_yaml_ng::Value;

/// A part of the template as JSON.
pub(crate) fn resolved(template: &Value, value: &Value) -> Json {
    match value {
        Value::Tagged(tagged) => call(template, tagged.tag.to_string().trim_start_matches('!'), &tagged.value),
        Value::Mapping(mapping) => {
            let mut object = Map::new();
            for (key, value) in mapping {
                let value = resolved(template, value);
                // What `AWS::NoValue` stands for is not there.
                if !value.is_null() {
                    object.insert(key.as_str().expect("keys are strings").to_owned(), value);
                }
            }
            Json::Object(object)
        }
        Value::Sequence(values) => values.iter().map(|value| resolved(template, value)).collect(),
        plain => serde_json::to_value(plain).expect("what is plain in YAML is plain in JSON"),
    }
}

fn call(template: &Value, function: &str, argument: &Value) -> Json {
    match function {
        "Ref" => reference(template, argument.as_str().unwrap()),
        "GetAtt" => attribute(template, argument.as_str().unwrap()).into(),
        "Sub" => substituted(template, argument.as_str().unwrap()).into(),
        "FindInMap" => {
            let keys = argument.as_sequence().expect("FindInMap has three arguments");
            let found = keys.iter().fold(at(template, "Mappings"), |found, key| &found[key]);
            assert!(!found.is_null(), "there is no {keys:?}");
            resolved(template, found)
        }
        "Split" => {
            let arguments = argument.as_sequence().expect("Split has two arguments");
            let (separator, text) = (arguments[0].as_str().unwrap(), resolved(template, &arguments[1]));
            text.as_str().unwrap().split(separator).collect()
        }
        "If" => resolved(template, &argument.as_sequence().expect("If has three arguments")[1]),
        other => panic!("the tests do not know !{other}"),
    }
}

fn substituted(template: &Value, text: &str) -> String {
    let mut parts = text.split("${");
    let mut result = parts.next().unwrap().to_owned();
    for part in parts {
        let (name, rest) = part.split_once('}').unwrap_or_else(|| panic!("`${{` is not closed in {text}"));
        let value = match name.split_once('.') {
            Some(_) => Json::String(attribute(template, name)),
            None => reference(template, name),
        };
        result += &value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        result += rest;
    }
    result
}

fn reference(template: &Value, name: &str) -> Json {
    let text = match name {
        "AWS::StackName" => STACK.to_owned(),
        "AWS::Region" => REGION.to_owned(),
        "AWS::AccountId" => ACCOUNT.to_owned(),
        "AWS::Partition" => "aws".to_owned(),
        "AWS::NoValue" => return Json::Null,
        _ => {
            let parameter = at(template, "Parameters").get(name);
            if let Some(parameter) = parameter {
                return resolved(template, parameter.get("Default").expect("every parameter has a default"));
            }
            let (resource, part) = name.split_once('.').unwrap_or((name, ""));
            match (type_of(template, resource), part) {
                ("AWS::SNS::Topic" | "AWS::Serverless::StateMachine", "") => arn(template, resource),
                ("AWS::IAM::ManagedPolicy", "") => {
                    format!("arn:aws:iam::{ACCOUNT}:policy/{}", physical(template, name))
                }
                ("AWS::Serverless::Function", "Version") => format!("{}:1", arn(template, resource)),
                (_, "") => physical(template, resource),
                (of, part) => panic!("what does `Ref` give for {part:?} of {of}?"),
            }
        }
    };
    text.into()
}

fn attribute(template: &Value, name: &str) -> String {
    match name.split_once('.').unwrap_or_else(|| panic!("{name} has no attribute")) {
        (resource, "Arn") => arn(template, resource),
        (resource, "QueueName") => physical(template, resource),
        (resource, "StreamArn") => format!("{}/stream/2026-01-01T00:00:00.000", arn(template, resource)),
        _ => panic!("the tests do not know the attribute {name}"),
    }
}

fn type_of<'a>(template: &'a Value, resource: &str) -> &'a str {
    let found = at(template, "Resources").get(resource).unwrap_or_else(|| panic!("there is no resource {resource}"));
    at(found, "Type").as_str().unwrap()
}

fn physical(template: &Value, resource: &str) -> String {
    let name = match type_of(template, resource) {
        "AWS::Serverless::Function" => "FunctionName",
        "AWS::Serverless::StateMachine" | "AWS::Events::Rule" | "AWS::Pipes::Pipe" => "Name",
        "AWS::DynamoDB::Table" => "TableName",
        "AWS::Logs::LogGroup" => "LogGroupName",
        "AWS::SQS::Queue" => "QueueName",
        "AWS::SNS::Topic" => "TopicName",
        "AWS::CloudWatch::Alarm" => "AlarmName",
        "AWS::IAM::ManagedPolicy" => "ManagedPolicyName",
        other => panic!("what is the name of a {other}?"),
    };
    let value = at(&template["Resources"][resource], "Properties").get(name);
    let value = value.unwrap_or_else(|| panic!("{resource}: names derive from the stack's, {name} is missing"));
    resolved(template, value).as_str().unwrap().to_owned()
}

fn arn(template: &Value, resource: &str) -> String {
    let name = || physical(template, resource);
    match type_of(template, resource) {
        "AWS::Serverless::Function" => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{}", name()),
        "AWS::Serverless::StateMachine" => format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{}", name()),
        "AWS::Events::Rule" => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{}", name()),
        "AWS::DynamoDB::Table" => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{}", name()),
        "AWS::Logs::LogGroup" => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{}:*", name()),
        "AWS::SQS::Queue" => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{}", name()),
        "AWS::SNS::Topic" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:{}", name()),
        "AWS::CloudWatch::Alarm" => format!("arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:{}", name()),
        "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{STACK}-{resource}"),
        other => panic!("what is the ARN of a {other}?"),
    }
}
