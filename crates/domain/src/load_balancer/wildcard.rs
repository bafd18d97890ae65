//! AWS's wildcards, in the conditions of listener rules and in the resources of policies: `*` stands for any text, `?`
//! for one character.

/// `*` is any run of characters, `?` exactly one.
pub fn matches_wildcards(pattern: &str, text: &str) -> bool {
    matches_by(pattern.as_bytes(), text.as_bytes(), |a, b| a == b)
}

/// The same, where upper and lower case are the same.
pub fn matches_in_any_case(pattern: &str, text: &str) -> bool {
    matches_by(pattern.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// Works on bytes and allocates nothing, since every request is held against the rules of its listener.
fn matches_by(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at_text < text.len() {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                last_star = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(byte) if *byte == b'?' || same(*byte, text[at_text]) => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => {
                let Some((star, matched)) = last_star else { return false };
                last_star = Some((star, matched + 1));
                at_pattern = star + 1;
                at_text = matched + 1;
            }
        }
    }
    pattern[at_pattern..].iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_match_runs_and_single_characters() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/api/*", "/api/users", true),
            ("/api/*", "/apix", false),
            ("*.example.com", "users.example.com", true),
            ("*.example.com", "example.com", false),
            ("user?", "users", true),
            ("user?", "user", false),
            ("a*b*c", "aXbYbZc", true),
            ("a*b*c", "aXbY", false),
            ("prod-*", "prod-public", true),
            ("prod-*", "staging-public", false),
            ("p?blic", "public", true),
            ("public", "public-2", false),
        ] {
            assert_eq!(matches_wildcards(pattern, text), expected, "{pattern} on {text}");
        }
        assert!(matches_in_any_case("*.Internal", "USERS.internal"));
        assert!(!matches_wildcards("/Api/*", "/api/users"), "paths are told apart by case");
    }
}
