//! Names of properties as Spring Boot binds them.

use crate::names::ServiceName;

/// A property's name in Spring's canonical form, lower case with dashes, with the service's name filled in.
pub fn canonical(template: &str, service: &ServiceName) -> String {
    template.replace("{service}", service.as_str()).to_ascii_lowercase().replace('_', "-")
}

/// The environment variable that sets a property: upper case, dots become underscores, dashes are removed, and the
/// index of a list is surrounded by underscores (Spring Boot, "Binding from Environment Variables").
///
/// The trap: a dash must not become an underscore. `CLIENTS_USERS_BASE_URL` sets `clients.users.base.url`, and a field
/// `baseUrl` keeps its old value without a word.
pub fn environment_variable(property: &str) -> String {
    let mut name = String::with_capacity(property.len());
    for letter in property.chars() {
        match letter {
            '-' => {}
            '.' | '[' | ']' => {
                if !name.ends_with('_') && !name.is_empty() {
                    name.push('_');
                }
            }
            other => name.push(other.to_ascii_uppercase()),
        }
    }
    name.trim_end_matches('_').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_variable_loses_its_dashes_and_keeps_no_two_underscores() {
        for (property, variable) in [
            ("clients.users.base-url", "CLIENTS_USERS_BASEURL"),
            ("clients[0].url", "CLIENTS_0_URL"),
            ("clients[0][1].base-url", "CLIENTS_0_1_BASEURL"),
            ("my.urls[3]", "MY_URLS_3"),
            ("clients.room-rates.base-url", "CLIENTS_ROOMRATES_BASEURL"),
        ] {
            assert_eq!(environment_variable(property), variable, "{property}");
        }
    }

    #[test]
    fn the_canonical_form_is_in_lower_case_with_dashes() {
        let service = ServiceName::parse("Room_Rates").unwrap();
        assert_eq!(canonical("clients.{service}.base-url", &service), "clients.room-rates.base-url");
    }
}
