//! A request told instead of sent: as a curl command, or as the policy it needs.

use bulla_client::{Config, Method, Request};

use crate::program::Program;

/// Paths that need `sudo` besides the operation; `*` at the end stands for anything.
const SUDO: [&str; 18] = [
    "auth/token/accessors",
    "auth/token/revoke-orphan",
    "sys/audit",
    "sys/audit/*",
    "sys/auth/*",
    "sys/config/auditing/*",
    "sys/config/cors",
    "sys/config/ui/headers*",
    "sys/internal/inspect/*",
    "sys/leases/lookup/*",
    "sys/leases/revoke-force/*",
    "sys/leases/revoke-prefix/*",
    "sys/plugins/catalog/*",
    "sys/raw*",
    "sys/remount",
    "sys/rotate*",
    "sys/seal",
    "sys/step-down",
];

/// The request as a curl command. The token is fetched when it runs, so that none is printed.
pub fn curl(request: &Request, config: &Config, program: Program, has_token: bool) -> String {
    let mut words = vec!["curl".to_owned()];
    if config.tls.skip_verify {
        words.push("--insecure".to_owned());
    }
    if request.method.verb() != "GET" {
        words.push(format!("-X {}", request.method.verb()));
    }
    for (flag, file) in [
        ("--cacert", &config.tls.ca_cert),
        ("--capath", &config.tls.ca_path),
        ("--cert", &config.tls.client_cert),
        ("--key", &config.tls.client_key),
    ] {
        if let Some(file) = file {
            words.push(format!("{flag} {}", quoted(&file.display().to_string())));
        }
    }
    if let Some(socket) = config.address.socket() {
        words.push(format!("--unix-socket {}", quoted(&socket.display().to_string())));
    }
    if let Some(kind) = request.content_type().filter(|kind| *kind != "application/json") {
        words.push(format!("-H \"Content-Type: {kind}\""));
    }
    if let Some(namespace) = &config.namespace {
        words.push(format!("-H {}", word(&format!("X-Vault-Namespace: {namespace}/"))));
    }
    words.push("-H \"X-Vault-Request: true\"".to_owned());
    for (name, value) in config.headers.iter().chain(request.header_pairs()) {
        words.push(format!("-H {}", quoted(&format!("{name}: {value}"))));
    }
    if has_token {
        words.push(format!("-H \"X-Vault-Token: $({} print token)\"", program.name()));
    }
    if let Some(body) = request.body_text() {
        words.push(format!("-d {}", quoted(&body)));
    }
    words.push(word(&format!("{}{}", config.address.base(), request.target())));
    words.join(" ")
}

/// The least policy that lets these requests through; they are all to one path.
pub fn policy(requests: &[&Request]) -> String {
    let mut capabilities: Vec<&str> = requests.iter().flat_map(|request| needed(request.method)).copied().collect();
    let path = requests.first().map_or("", |request| request.path());
    if SUDO.iter().any(|pattern| covers(pattern, path)) {
        capabilities.push("sudo");
    }
    policy_for(path, &capabilities)
}

/// A policy of one rule.
pub fn policy_for(path: &str, capabilities: &[&str]) -> String {
    let quoted: Vec<String> = capabilities.iter().map(|c| format!("{c:?}")).collect();
    format!("path {path:?} {{\n  capabilities = [{}]\n}}", quoted.join(", "))
}

const fn needed(method: Method) -> &'static [&'static str] {
    match method {
        Method::Get | Method::Head => &["read"],
        Method::List => &["list"],
        Method::Put | Method::Post => &["create", "update"],
        Method::Patch => &["patch"],
        Method::Delete => &["delete"],
    }
}

fn covers(pattern: &str, path: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == path, |prefix| path.starts_with(prefix))
}

/// For a POSIX shell: in the quotes that have always been printed, unless something in them would be expanded.
fn word(text: &str) -> String {
    if text.contains(['$', '`', '\\', '"', '!']) { quoted(text) } else { format!("\"{text}\"") }
}

/// For a POSIX shell, whatever is in it.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use bulla_client::Json;

    use super::*;

    #[test]
    fn as_the_reference_prints_it() {
        let config = Config::new("http://127.0.0.1:1".parse().unwrap());
        let text = curl(&Request::get("cubbyhole/a"), &config, Program::Bao, true);
        let want = r#"curl -H "X-Vault-Request: true" -H "X-Vault-Token: $(bao print token)" "http://127.0.0.1:1/v1/cubbyhole/a""#;
        assert_eq!(text, want);
        let put = curl(&Request::put("a", &Json::object([("k", Json::text("it's"))])), &config, Program::Bao, false);
        let want = r#"curl -X PUT -H "X-Vault-Request: true" -d '{"k":"it'\''s"}' "http://127.0.0.1:1/v1/a""#;
        assert_eq!(put, want);
    }

    /// Pasted or evaluated, the line once ran what a namespace, an address or a path told it to.
    #[test]
    fn a_shell_expands_nothing_in_it() {
        let mut config = Config::new("http://127.0.0.1:1/$(touch${IFS}x)".parse().unwrap());
        config.namespace = Some("$(touch x)`touch y`\"'".to_owned());
        let text = curl(&Request::get("c/$HOME"), &config, Program::Bao, false);
        let shown = std::process::Command::new("sh").args(["-c", &format!("printf '%s\n' {text}")]).output().unwrap();
        let shown = String::from_utf8(shown.stdout).unwrap();
        let want = "curl\n-H\nX-Vault-Namespace: $(touch x)`touch y`\"'/\n-H\nX-Vault-Request: true\n\
                    http://127.0.0.1:1/$(touch${IFS}x)/v1/c/$HOME\n";
        assert_eq!(shown, want);
    }

    #[test]
    fn policies() {
        let text = policy(&[&Request::new(Method::Put, "cubbyhole/a")]);
        assert_eq!(text, "path \"cubbyhole/a\" {\n  capabilities = [\"create\", \"update\"]\n}");
        assert!(policy(&[&Request::new(Method::Put, "sys/seal")]).contains("\"sudo\""));
        assert!(!policy(&[&Request::get("sys/mounts")]).contains("sudo"));
    }
}
