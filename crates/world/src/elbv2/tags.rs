//! Tags of load balancers, listeners, rules and target groups.

use super::Elbv2;
use crate::aws_error::AwsError;
use crate::tree::Tree;
use std::collections::BTreeMap;

impl Elbv2 {
    fn require_resource(&self, arn: &str) -> Result<(), AwsError> {
        let (found, code) = if arn.contains(":targetgroup/") {
            (self.groups.contains_key(arn), "TargetGroupNotFound")
        } else if arn.contains(":listener-rule/") {
            (self.rules.contains_key(arn), "RuleNotFound")
        } else if arn.contains(":listener/") {
            (self.listeners.contains_key(arn), "ListenerNotFound")
        } else if arn.contains(":loadbalancer/") {
            (self.load_balancers.contains_key(arn), "LoadBalancerNotFound")
        } else {
            return Err(AwsError::validation(format!("'{arn}' is not a valid resource ARN")));
        };
        if found { Ok(()) } else { Err(AwsError::bad_request(code, format!("Resource '{arn}' not found"))) }
    }

    fn arns_of<'a>(&self, input: &'a Tree) -> Result<Vec<&'a str>, AwsError> {
        let arns = input.texts_at("ResourceArns");
        if arns.is_empty() || arns.len() > 20 {
            return Err(AwsError::validation(format!(
                "1 validation error detected: {} resource ARNs given, expected 1 to 20",
                arns.len()
            )));
        }
        arns.iter().try_for_each(|arn| self.require_resource(arn))?;
        Ok(arns)
    }

    /// The tags of an ARN, without the ways of an API call.
    pub fn tags_of(&self, arn: &str) -> BTreeMap<String, String> {
        self.tags.get(arn).cloned().unwrap_or_default()
    }

    /// Sets a tag as an AWS service does: only such a tag has a key that begins with `aws:`.
    pub fn set_tag_of_service(&mut self, arn: &str, key: &str, value: &str) {
        self.tags.entry(arn.to_owned()).or_default().insert(key.to_owned(), value.to_owned());
    }

    pub(super) fn describe_tags(&self, input: &Tree) -> Result<Tree, AwsError> {
        let descriptions: Vec<Tree> = self
            .arns_of(input)?
            .into_iter()
            .map(|arn| {
                let tags: Vec<Tree> = self
                    .tags
                    .get(arn)
                    .into_iter()
                    .flatten()
                    .map(|(key, value)| Tree::map([("Key", key.as_str().into()), ("Value", value.as_str().into())]))
                    .collect();
                Tree::map([("ResourceArn", arn.into()), ("Tags", tags.into())])
            })
            .collect();
        Ok(Tree::map([("TagDescriptions", descriptions.into())]))
    }

    pub(super) fn add_tags(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arns: Vec<String> = self.arns_of(input)?.into_iter().map(str::to_owned).collect();
        for arn in arns {
            self.tag(&arn, input.list_at("Tags"))?;
        }
        Ok(Tree::new())
    }

    pub(super) fn remove_tags(&mut self, input: &Tree) -> Result<Tree, AwsError> {
        let arns: Vec<String> = self.arns_of(input)?.into_iter().map(str::to_owned).collect();
        for arn in arns {
            for key in input.texts_at("TagKeys") {
                self.tags.entry(arn.clone()).or_default().remove(key);
            }
        }
        Ok(Tree::new())
    }

    /// Adds tags as a request gives them; an existing key gets the new value.
    pub(super) fn tag(&mut self, arn: &str, tags: &[Tree]) -> Result<(), AwsError> {
        let mut merged = self.tags.get(arn).cloned().unwrap_or_default();
        for tag in tags {
            let key = super::required(tag, "Key")?;
            if key.to_ascii_lowercase().starts_with("aws:") {
                return Err(AwsError::validation("aws: prefixed tag key names are not allowed for external use."));
            }
            merged.insert(key.to_owned(), tag.any_text_at("Value").unwrap_or_default().to_owned());
        }
        if merged.len() > 50 {
            return Err(AwsError::bad_request("TooManyTags", format!("The maximum number of tags on '{arn}' is 50")));
        }
        if !merged.is_empty() {
            self.tags.insert(arn.to_owned(), merged);
        }
        Ok(())
    }
}
