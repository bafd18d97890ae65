//! Tags.

use super::{Elb, batches};
use crate::classify::failed;
use aws_sdk_elasticloadbalancingv2::types::{Tag, TagDescription};
use crossfade_actions::ports::{PortError, Tagging};
use crossfade_domain::alarms::tags as alarm_tags;
use crossfade_domain::load_balancer::group::{Tags, TargetGroup};
use crossfade_domain::load_balancer::our_tags::{may_be_of_stack, tag};
use crossfade_domain::names::{ServiceName, TargetGroupArn};
use std::collections::BTreeMap;

#[async_trait::async_trait]
impl Tagging for Elb {
    fn stack(&self) -> String {
        self.stack.clone()
    }

    async fn tags(&self, arns: &[String]) -> Result<BTreeMap<String, Tags>, PortError> {
        let found = batches::existing(arns.to_vec(), |batch| self.describe_tags(batch)).await?;
        Ok(found.into_iter().filter(|(_, tags)| !tags.is_empty()).collect())
    }

    async fn add_tags(&self, group: &TargetGroupArn, tags: &Tags) -> Result<(), PortError> {
        let add = self.reader.add_tags().resource_arns(group.as_str()).set_tags(Some(to_sdk(tags)));
        add.send().await.map_err(failed("AddTags", group.as_str()))?;
        Ok(())
    }

    async fn remove_tags(&self, group: &TargetGroupArn, keys: &[String]) -> Result<(), PortError> {
        let remove = self.reader.remove_tags().resource_arns(group.as_str()).set_tag_keys(Some(keys.to_vec()));
        remove.send().await.map_err(failed("RemoveTags", group.as_str()))?;
        Ok(())
    }

    async fn groups_of_service(&self, service: &ServiceName) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        let ours = |tags: &Tags| may_be_of_stack(tags, &self.stack);
        self.groups_tagged(|tags| ours(tags) && tags.get(tag::SERVICE).map(String::as_str) == Some(service.as_str()))
            .await
    }

    async fn all_guarded_groups(&self) -> Result<Vec<(TargetGroup, Tags)>, PortError> {
        self.groups_tagged(|tags| may_be_of_stack(tags, &self.stack) && alarm_tags::is_guarded(tags)).await
    }
}

impl Elb {
    async fn describe_tags(&self, arns: Vec<String>) -> Result<Vec<(String, Tags)>, PortError> {
        let object = arns.join(", ");
        let answer = self.reader.describe_tags().set_resource_arns(Some(arns)).send().await;
        let descriptions = answer.map_err(failed("DescribeTags", &object))?.tag_descriptions.unwrap_or_default();
        Ok(descriptions.into_iter().filter_map(described).collect())
    }
}

fn described(description: TagDescription) -> Option<(String, Tags)> {
    let tags = description.tags.unwrap_or_default();
    Some((description.resource_arn?, tags.into_iter().filter_map(pair).collect()))
}

fn pair(tag: Tag) -> Option<(String, String)> {
    Some((tag.key?, tag.value.unwrap_or_default()))
}

/// Tags for a request.
pub(super) fn to_sdk(tags: &Tags) -> Vec<Tag> {
    tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build()).collect()
}
