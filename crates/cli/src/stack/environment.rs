//! The environment variables, read once by `main`.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// Environment variables by name. An empty value counts as none.
#[derive(Debug, Clone, Default)]
pub struct Environment(BTreeMap<String, String>);

impl Environment {
    /// Takes variables over.
    pub fn of(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().filter(|(_, value)| !value.is_empty()).collect())
    }

    /// A variable's value.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    /// A variable that names a file.
    pub fn file(&self, name: &str) -> Option<PathBuf> {
        self.get(name).map(PathBuf::from)
    }

    /// Whether colours are welcome where there is a terminal (<https://no-color.org>).
    pub fn may_colour(&self) -> bool {
        self.get("NO_COLOR").is_none()
    }

    /// All of them, for the one clock; an endpoint that was given as a flag counts as given here.
    pub fn with_endpoint(&self, endpoint_url: Option<&str>) -> Vec<(String, String)> {
        let mut variables = self.0.clone();
        if let Some(url) = endpoint_url {
            variables.insert("AWS_ENDPOINT_URL".to_owned(), url.to_owned());
        }
        variables.into_iter().collect()
    }
}
