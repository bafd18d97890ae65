//! All that is needed to create a target group again.

use crate::load_balancer::group::{Attributes, GroupSettings, Tags, Target};
use crate::names::TargetGroupArn;
use serde::{Deserialize, Serialize};

/// A target group in full, as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct GroupRecord {
    /// Its ARN. Created again, it has another one, and other dimensions in CloudWatch.
    pub arn: TargetGroupArn,
    /// Its name.
    pub name: String,
    /// Its settings.
    pub settings: GroupSettings,
    /// Its attributes.
    pub attributes: Attributes,
    /// Its tags.
    pub tags: Tags,
    /// Its targets, with their ports.
    pub targets: Vec<Target>,
}

impl GroupRecord {
    /// The commands that create the group again and register its targets, one a line. They are for a POSIX shell. The
    /// group's new ARN is in the shell's variable `group`.
    pub fn commands(&self) -> Vec<String> {
        let settings = &self.settings;
        let check = &settings.health_check;
        let mut create = vec![
            option("name", &self.name),
            option("protocol", &settings.protocol),
            option("port", &settings.port.to_string()),
            option("target-type", &settings.target_type),
        ];
        create.extend(settings.protocol_version.as_ref().map(|version| option("protocol-version", version)));
        create.extend(settings.ip_address_type.as_ref().map(|family| option("ip-address-type", family)));
        create.extend(settings.vpc.as_ref().map(|vpc| option("vpc-id", vpc)));
        create.extend(settings.target_control_port.map(|port| option("target-control-port", &port.to_string())));
        create.push(if check.enabled { "--health-check-enabled" } else { "--no-health-check-enabled" }.to_owned());
        create.push(option("health-check-protocol", &check.protocol));
        create.push(option("health-check-port", &check.port));
        create.extend(check.path.as_ref().map(|path| option("health-check-path", path)));
        create.push(option("health-check-interval-seconds", &check.interval_seconds.to_string()));
        create.push(option("health-check-timeout-seconds", &check.timeout_seconds.to_string()));
        create.push(option("healthy-threshold-count", &check.healthy_threshold.to_string()));
        create.push(option("unhealthy-threshold-count", &check.unhealthy_threshold.to_string()));
        let codes = [("HttpCode", &check.http_codes), ("GrpcCode", &check.grpc_codes)];
        create.extend(codes.iter().filter_map(|(kind, codes)| {
            let codes = codes.as_ref()?;
            Some(option("matcher", &serde_json::json!({ *kind: codes }).to_string()))
        }));
        if !self.tags.is_empty() {
            create.push(option("tags", &pairs(&self.tags)));
        }
        let create = create.join(" ");
        let mut commands = vec![format!(
            "group=$(aws elbv2 create-target-group {create} --query 'TargetGroups[0].TargetGroupArn' --output text)"
        )];
        // AWS shows what is not set as an empty text, and takes none.
        let set = self.attributes.iter().filter(|(_, value)| !value.is_empty());
        let set: Attributes = set.map(|(key, value)| (key.clone(), value.clone())).collect();
        if !set.is_empty() {
            let attributes = quoted(&pairs(&set));
            commands.push(format!(
                "aws elbv2 modify-target-group-attributes --target-group-arn \"$group\" --attributes {attributes}"
            ));
        }
        if !self.targets.is_empty() {
            let one = |target: &Target| match target.port {
                Some(port) => serde_json::json!({ "Id": target.id, "Port": port }),
                None => serde_json::json!({ "Id": target.id }),
            };
            let targets = serde_json::Value::from(self.targets.iter().map(one).collect::<Vec<_>>());
            commands.push(format!(
                "aws elbv2 register-targets --target-group-arn \"$group\" --targets {}",
                quoted(&targets.to_string())
            ));
        }
        commands
    }
}

fn option(name: &str, value: &str) -> String {
    format!("--{name} {}", quoted(value))
}

/// Keys and values as JSON: the short form of the AWS CLI has no way to write a comma.
fn pairs(pairs: &std::collections::BTreeMap<String, String>) -> String {
    let pairs = pairs.iter().map(|(key, value)| serde_json::json!({ "Key": key, "Value": value }));
    serde_json::Value::from(pairs.collect::<Vec<_>>()).to_string()
}

/// A word of a shell.
fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}
