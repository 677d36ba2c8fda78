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
        words.push(format!("-H \"X-Vault-Namespace: {namespace}/\""));
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
    words.push(format!("\"{}{}\"", config.address.base(), request.target()));
    words.join(" ")
}

/// The least policy that lets the request through.
pub fn policy(request: &Request) -> String {
    let mut capabilities = match request.method {
        Method::Get | Method::Head => vec!["read"],
        Method::List => vec!["list"],
        Method::Put | Method::Post => vec!["create", "update"],
        Method::Patch => vec!["patch"],
        Method::Delete => vec!["delete"],
    };
    if SUDO.iter().any(|pattern| covers(pattern, request.path())) {
        capabilities.push("sudo");
    }
    let quoted: Vec<String> = capabilities.iter().map(|c| format!("{c:?}")).collect();
    format!("path {:?} {{\n  capabilities = [{}]\n}}", request.path(), quoted.join(", "))
}

fn covers(pattern: &str, path: &str) -> bool {
    pattern.strip_suffix('*').map_or(pattern == path, |prefix| path.starts_with(prefix))
}

/// For a POSIX shell.
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

    #[test]
    fn policies() {
        let text = policy(&Request::new(Method::Put, "cubbyhole/a"));
        assert_eq!(text, "path \"cubbyhole/a\" {\n  capabilities = [\"create\", \"update\"]\n}");
        assert!(policy(&Request::new(Method::Put, "sys/seal")).contains("\"sudo\""));
        assert!(!policy(&Request::get("sys/mounts")).contains("sudo"));
    }
}
