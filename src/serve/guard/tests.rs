use super::*;

#[test]
fn only_names_of_this_machine_for_itself_are_its_own() {
    for host in ["localhost", "LOCALHOST:8080", "127.0.0.1:80", "127.9.9.9", "[::1]:8080", "[::1]"] {
        assert!(is_own(host), "{host}");
    }
    for host in
        ["evil.example", "localhost.evil.example:8080", "10.0.0.1:8080", "[2001:db8::1]:80", "0.0.0.0"]
    {
        assert!(!is_own(host), "{host}");
    }
}
