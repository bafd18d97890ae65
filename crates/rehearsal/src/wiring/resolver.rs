//! Resolves the intrinsic functions of a template against the local world.

use super::{ACCOUNT, REGION, STACK, WiringError};
use serde_json::{Map, Value as Json};
use serde_yaml_ng::Value as Yaml;

/// The depth at which references count as circular.
const DEEPEST: usize = 50;

/// A template and the local meaning of its references.
pub(super) struct Resolver<'a> {
    template: &'a Yaml,
}

impl<'a> Resolver<'a> {
    pub(super) fn of(template: &'a Yaml) -> Self {
        Self { template }
    }

    /// Returns every resource's logical id and type, in the template's order.
    pub(super) fn resources(&self) -> Result<Vec<(String, String)>, WiringError> {
        let resources = self.template["Resources"]
            .as_mapping()
            .ok_or_else(|| WiringError::unresolved("Resources", "the template has no resources"))?;
        resources
            .iter()
            .map(|(id, resource)| {
                let id = id.as_str().unwrap_or_default().to_owned();
                let resource_type = resource["Type"].as_str().ok_or_else(|| {
                    WiringError::unresolved(format!("Resources.{id}.Type"), "the resource has no type")
                })?;
                Ok((id, resource_type.to_owned()))
            })
            .collect()
    }

    /// Returns `Globals.<section>`.
    pub(super) fn global(&self, section: &str) -> Result<Json, WiringError> {
        match self.template.get("Globals").and_then(|globals| globals.get(section)) {
            None => Ok(Json::Object(Map::new())),
            Some(globals) => self.resolve(globals, &format!("Globals.{section}"), 0),
        }
    }

    /// Returns a text in a resource's metadata.
    pub(super) fn metadata(&self, logical_id: &str, path: &[&str]) -> Option<String> {
        let metadata = self.resource(logical_id)?.get("Metadata")?;
        path.iter().try_fold(metadata, |value, name| value.get(*name))?.as_str().map(str::to_owned)
    }

    /// Returns all properties of a resource.
    pub(super) fn properties(&self, logical_id: &str) -> Result<Json, WiringError> {
        match self.resource(logical_id).and_then(|resource| resource.get("Properties")) {
            None => Ok(Json::Object(Map::new())),
            Some(properties) => self.resolve(properties, &format!("Resources.{logical_id}.Properties"), 0),
        }
    }

    /// Returns one property of a resource; only this one has to be resolvable.
    pub(super) fn property(&self, logical_id: &str, name: &str) -> Result<Option<Json>, WiringError> {
        self.property_at(logical_id, name, 0)
    }

    fn property_at(&self, logical_id: &str, name: &str, depth: usize) -> Result<Option<Json>, WiringError> {
        let Some(value) = self.resource(logical_id).and_then(|it| it.get("Properties")).and_then(|it| it.get(name))
        else {
            return Ok(None);
        };
        self.resolve(value, &format!("Resources.{logical_id}.Properties.{name}"), depth).map(Some)
    }

    /// Returns whether a resource has a property, whatever its value is.
    pub(super) fn has_property(&self, logical_id: &str, name: &str) -> bool {
        self.resource(logical_id).and_then(|it| it.get("Properties")).is_some_and(|it| it.get(name).is_some())
    }

    /// Returns the name that a resource has in the local world.
    pub(super) fn physical_name(&self, logical_id: &str) -> Result<String, WiringError> {
        self.physical_name_at(logical_id, 0)
    }

    fn physical_name_at(&self, logical_id: &str, depth: usize) -> Result<String, WiringError> {
        let property = match self.type_of(logical_id)? {
            "AWS::Serverless::Function" => "FunctionName",
            "AWS::Serverless::StateMachine" | "AWS::Events::Rule" => "Name",
            "AWS::DynamoDB::Table" => "TableName",
            "AWS::Logs::LogGroup" => "LogGroupName",
            "AWS::IAM::Role" => "RoleName",
            "AWS::SQS::Queue" => "QueueName",
            "AWS::SNS::Topic" => "TopicName",
            other => {
                let reason = format!("the name of a `{other}` is not supported locally");
                return Err(WiringError::unresolved(format!("Resources.{logical_id}"), reason));
            }
        };
        match self.property_at(logical_id, property, depth + 1)? {
            None => Ok(format!("{STACK}-{logical_id}")),
            Some(Json::String(name)) => Ok(name),
            Some(other) => Err(WiringError::unresolved(
                format!("Resources.{logical_id}.Properties.{property}"),
                format!("{other} is no name"),
            )),
        }
    }

    /// Returns the ARN that a resource has in the local world.
    pub(super) fn arn(&self, logical_id: &str) -> Result<String, WiringError> {
        self.arn_at(logical_id, 0)
    }

    fn arn_at(&self, logical_id: &str, depth: usize) -> Result<String, WiringError> {
        let name = self.physical_name_at(logical_id, depth)?;
        Ok(match self.type_of(logical_id)? {
            "AWS::Serverless::Function" => format!("arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"),
            "AWS::Serverless::StateMachine" => format!("arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:{name}"),
            "AWS::DynamoDB::Table" => format!("arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{name}"),
            "AWS::Events::Rule" => format!("arn:aws:events:{REGION}:{ACCOUNT}:rule/{name}"),
            "AWS::Logs::LogGroup" => format!("arn:aws:logs:{REGION}:{ACCOUNT}:log-group:{name}:*"),
            "AWS::IAM::Role" => format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            "AWS::SQS::Queue" => format!("arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"),
            "AWS::SNS::Topic" => format!("arn:aws:sns:{REGION}:{ACCOUNT}:{name}"),
            other => unreachable!("`{other}` has no name, which was asked for before"),
        })
    }

    fn resource(&self, logical_id: &str) -> Option<&'a Yaml> {
        self.template.get("Resources")?.get(logical_id)
    }

    fn type_of(&self, logical_id: &str) -> Result<&'a str, WiringError> {
        self.resource(logical_id)
            .and_then(|resource| resource.get("Type")?.as_str())
            .ok_or_else(|| WiringError::unresolved(format!("Resources.{logical_id}"), "there is no such resource"))
    }

    fn resolve(&self, value: &Yaml, path: &str, depth: usize) -> Result<Json, WiringError> {
        if depth > DEEPEST {
            return Err(WiringError::unresolved(path, "references are circular"));
        }
        match value {
            Yaml::Tagged(tagged) => {
                let tag = tagged.tag.to_string();
                self.call(tag.trim_start_matches('!'), &tagged.value, path, depth + 1)
            }
            Yaml::Mapping(fields) => {
                if let Some((name, argument)) = long_form(value) {
                    return self.call(name, argument, path, depth + 1);
                }
                let mut object = Map::new();
                for (name, value) in fields {
                    let name =
                        name.as_str().ok_or_else(|| WiringError::unresolved(path, "the name of a field is no text"))?;
                    object.insert(name.to_owned(), self.resolve(value, &format!("{path}.{name}"), depth)?);
                }
                Ok(Json::Object(object))
            }
            Yaml::Sequence(elements) => elements
                .iter()
                .enumerate()
                .map(|(index, element)| self.resolve(element, &format!("{path}[{index}]"), depth))
                .collect::<Result<_, _>>()
                .map(Json::Array),
            plain => serde_json::to_value(plain).map_err(|source| WiringError::unresolved(path, source.to_string())),
        }
    }

    fn call(&self, function: &str, argument: &Yaml, path: &str, depth: usize) -> Result<Json, WiringError> {
        let wrong = || WiringError::unresolved(path, format!("`{function}` has the wrong arguments"));
        match function {
            "Ref" => self.reference(argument.as_str().ok_or_else(wrong)?, path, depth),
            "GetAtt" => {
                let name = match argument {
                    Yaml::Sequence(parts) => {
                        parts.iter().map(Yaml::as_str).collect::<Option<Vec<_>>>().ok_or_else(wrong)?.join(".")
                    }
                    other => other.as_str().ok_or_else(wrong)?.to_owned(),
                };
                self.attribute(&name, path, depth).map(Json::String)
            }
            "Sub" => match argument {
                Yaml::Sequence(parts) if parts.len() == 2 => {
                    let own = self.resolve(&parts[1], path, depth)?;
                    self.substitute(parts[0].as_str().ok_or_else(wrong)?, &own, path, depth)
                }
                other => self.substitute(other.as_str().ok_or_else(wrong)?, &Json::Null, path, depth),
            },
            "Join" => {
                let parts = argument.as_sequence().filter(|parts| parts.len() == 2).ok_or_else(wrong)?;
                let separator = parts[0].as_str().ok_or_else(wrong)?;
                let texts = self.resolve(&parts[1], path, depth)?;
                let texts: Option<Vec<&str>> = texts.as_array().ok_or_else(wrong)?.iter().map(Json::as_str).collect();
                Ok(Json::String(texts.ok_or_else(wrong)?.join(separator)))
            }
            "If" => {
                let parts = argument.as_sequence().filter(|parts| parts.len() == 3).ok_or_else(wrong)?;
                let holds = self.named_condition(parts[0].as_str().ok_or_else(wrong)?, path, depth)?;
                self.resolve(&parts[if holds { 1 } else { 2 }], path, depth)
            }
            other => Err(WiringError::unresolved(path, format!("the function `{other}` is not supported locally"))),
        }
    }

    /// Whether a condition of the template holds with the parameters' defaults.
    fn named_condition(&self, name: &str, path: &str, depth: usize) -> Result<bool, WiringError> {
        let condition = self.template.get("Conditions").and_then(|all| all.get(name));
        let missing = || WiringError::unresolved(path, format!("there is no condition `{name}`"));
        self.condition(condition.ok_or_else(missing)?, path, depth)
    }

    fn condition(&self, condition: &Yaml, path: &str, depth: usize) -> Result<bool, WiringError> {
        let wrong = || WiringError::unresolved(path, "a condition is not understood locally");
        if depth > DEEPEST {
            return Err(WiringError::unresolved(path, "conditions go round in a circle"));
        }
        let Yaml::Tagged(tagged) = condition else { return Err(wrong()) };
        let of_each = || tagged.value.as_sequence().ok_or_else(wrong);
        let mut each = of_each().into_iter().flatten().map(|one| self.condition(one, path, depth + 1));
        match tagged.tag.to_string().trim_start_matches('!') {
            "Equals" => {
                let [left, right] = &of_each()?[..] else { return Err(wrong()) };
                Ok(self.resolve(left, path, depth)? == self.resolve(right, path, depth)?)
            }
            "Not" => each.next().ok_or_else(wrong)?.map(|holds| !holds),
            "And" => each.try_fold(true, |all, one| Ok(all && one?)),
            "Or" => each.try_fold(false, |any, one| Ok(any || one?)),
            "Condition" => self.named_condition(tagged.value.as_str().ok_or_else(wrong)?, path, depth + 1),
            _ => Err(wrong()),
        }
    }

    fn reference(&self, name: &str, path: &str, depth: usize) -> Result<Json, WiringError> {
        let text = match name {
            "AWS::StackName" => STACK.to_owned(),
            "AWS::Region" => REGION.to_owned(),
            "AWS::AccountId" => ACCOUNT.to_owned(),
            "AWS::Partition" => "aws".to_owned(),
            "AWS::URLSuffix" => "amazonaws.com".to_owned(),
            "AWS::StackId" => format!("arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/local"),
            _ => {
                if let Some(parameter) = self.template.get("Parameters").and_then(|all| all.get(name)) {
                    let default = parameter.get("Default").ok_or_else(|| {
                        WiringError::unresolved(path, format!("the parameter `{name}` has no default"))
                    })?;
                    return self.resolve(default, path, depth);
                }
                return self.reference_to_resource(name, path, depth).map(Json::String);
            }
        };
        Ok(Json::String(text))
    }

    /// The result of `Ref` differs by type. SAM adds `<function>.Version` and `<function>.Alias`.
    fn reference_to_resource(&self, name: &str, path: &str, depth: usize) -> Result<String, WiringError> {
        if let Some((function, generated)) = name.split_once('.') {
            return match generated {
                "Version" => Ok(format!("{}:1", self.arn_at(function, depth)?)),
                "Alias" => Ok(format!("{}:live", self.arn_at(function, depth)?)),
                _ => Err(WiringError::unresolved(path, format!("`{name}` is not supported locally"))),
            };
        }
        if self.resource(name).is_none() {
            return Err(WiringError::unresolved(path, format!("there is no parameter or resource `{name}`")));
        }
        match self.type_of(name)? {
            "AWS::Serverless::StateMachine" | "AWS::SNS::Topic" => self.arn_at(name, depth),
            _ => self.physical_name_at(name, depth),
        }
    }

    fn attribute(&self, name: &str, path: &str, depth: usize) -> Result<String, WiringError> {
        match name.split_once('.') {
            Some((resource, "Arn")) if self.resource(resource).is_some() => self.arn_at(resource, depth),
            Some((resource, "Name")) if self.resource(resource).is_some() => self.physical_name_at(resource, depth),
            _ => Err(WiringError::unresolved(path, format!("the attribute `{name}` is not supported locally"))),
        }
    }

    fn substitute(&self, text: &str, own: &Json, path: &str, depth: usize) -> Result<Json, WiringError> {
        let mut result = String::new();
        let mut rest = text;
        while let Some((before, after)) = rest.split_once("${") {
            result.push_str(before);
            let (name, remaining) =
                after.split_once('}').ok_or_else(|| WiringError::unresolved(path, "`${` is not closed"))?;
            if let Some(literal) = name.strip_prefix('!') {
                result.extend(["${", literal, "}"]);
            } else {
                result.push_str(&self.substitution(name, own, path, depth)?);
            }
            rest = remaining;
        }
        result.push_str(rest);
        Ok(Json::String(result))
    }

    fn substitution(&self, name: &str, own: &Json, path: &str, depth: usize) -> Result<String, WiringError> {
        let value = match own.get(name) {
            Some(value) => value.clone(),
            None if name.contains('.') && !name.ends_with(".Version") && !name.ends_with(".Alias") => {
                Json::String(self.attribute(name, path, depth)?)
            }
            None => self.reference(name, path, depth)?,
        };
        Ok(value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    }
}

fn long_form(value: &Yaml) -> Option<(&str, &Yaml)> {
    let fields = value.as_mapping().filter(|fields| fields.len() == 1)?;
    let (name, argument) = fields.iter().next()?;
    match name.as_str()? {
        "Ref" => Some(("Ref", argument)),
        name => Some((name.strip_prefix("Fn::")?, argument)),
    }
}
