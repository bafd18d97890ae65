//! The transforms of a rule: what they make of a request's host, path and query before it goes to a target.

use crate::aws_error::AwsError;
use crate::elbv2::conditions::HttpRequest;
use crate::elbv2::required;
use crate::tree::Tree;
use regex_lite::Regex;

/// What a rule makes of a request. None where it stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Rewritten {
    /// The `Host` header.
    pub host: Option<String>,
    /// The path with its query.
    pub path_and_query: Option<String>,
}

/// Checks transforms as they are given: each of a kind that AWS knows, with a regular expression that is valid.
pub(super) fn check(transforms: &[Tree]) -> Result<(), AwsError> {
    for transform in transforms {
        let (_, rewrites) = rewrites(transform)
            .ok_or_else(|| AwsError::validation("A transform must be url-rewrite or host-header-rewrite"))?;
        let [rewrite] = rewrites else {
            return Err(AwsError::validation("A transform must have exactly one rewrite"));
        };
        let regex = required(rewrite, "Regex")?;
        Regex::new(regex)
            .map_err(|_| AwsError::validation(format!("The regular expression '{regex}' is not valid")))?;
    }
    Ok(())
}

/// Applies the transforms of a rule to a request.
pub(in crate::elbv2) fn apply(transforms: &[Tree], request: &HttpRequest) -> Rewritten {
    let mut rewritten = Rewritten::default();
    let query = if request.query.is_empty() { String::new() } else { format!("?{}", request.query) };
    let url = format!("{}{query}", request.path);
    for (of_host, rewrites) in transforms.iter().filter_map(rewrites) {
        let (place, original) =
            if of_host { (&mut rewritten.host, &request.host) } else { (&mut rewritten.path_and_query, &url) };
        for rewrite in rewrites {
            let Some(regex) = rewrite.text_at("Regex").and_then(|regex| Regex::new(regex).ok()) else { continue };
            let text = place.as_ref().unwrap_or(original);
            let new = regex.replace(text, rewrite.any_text_at("Replace").unwrap_or_default()).into_owned();
            *place = Some(new);
        }
    }
    rewritten
}

/// Whether a transform is one of the host, and its rewrites.
fn rewrites(transform: &Tree) -> Option<(bool, &[Tree])> {
    let (of_host, config) = match transform.text_at("Type")? {
        "host-header-rewrite" => (true, "HostHeaderRewriteConfig"),
        "url-rewrite" => (false, "UrlRewriteConfig"),
        _ => return None,
    };
    Some((of_host, transform.get(config).map(|config| config.list_at("Rewrites")).unwrap_or_default()))
}
