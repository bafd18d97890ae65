//! The environment variables, read once by `main`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Environment variables by name. An empty value counts as unset.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Creates an environment from these variables.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// Returns a variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// Returns the path in a variable.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Returns whether a terminal may show colours (<https://no-color.org>).
    pub fn may_colour(&self) -> bool {
        self.get("NO_COLOR").is_none()
    }

    /// Returns all variables, with the endpoint of the flag if there is one; the clock is chosen from them.
    pub fn with_endpoint(&self, endpoint_url: Option<&str>) -> Vec<(String, String)> {
        let mut variables = self.0.clone();
        if let Some(url) = endpoint_url {
            variables.insert("AWS_ENDPOINT_URL".to_owned(), url.to_owned());
        }
        variables.into_iter().collect()
    }
}
