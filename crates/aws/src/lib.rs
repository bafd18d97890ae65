//! The ports on ELBv2, CloudWatch, DynamoDB and Step Functions; the only crate that names an AWS SDK.
