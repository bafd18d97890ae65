//! Whether an endpoint is on this machine.

use std::net::IpAddr;

/// Whether a URL's host is a loopback address or `localhost`. When in doubt it is not.
pub(crate) fn is_loopback(url: &str) -> bool {
    let Some(rest) = url.strip_prefix("http://").or_else(|| url.strip_prefix("https://")) else { return false };
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    // `http://127.0.0.1@elsewhere` leads elsewhere.
    if authority.contains('@') {
        return false;
    }
    let host = match authority.strip_prefix('[') {
        Some(bracketed) => bracketed.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, expected: bool) {
        assert_eq!(is_loopback(url), expected, "{url}");
    }

    #[test]
    fn only_this_machine_is_loopback() {
        check("http://127.0.0.1:4566", true);
        check("http://127.0.0.2", true);
        check("http://[::1]:4566/path", true);
        check("http://localhost:4566", true);
        check("https://elasticloadbalancing.eu-west-1.amazonaws.com", false);
        check("http://127.0.0.1.example.com", false);
        check("http://127.0.0.1@example.com", false);
        check("http://example.com/127.0.0.1", false);
        check("http://10.0.0.1", false);
        check("127.0.0.1:4566", false);
        check("", false);
    }
}
