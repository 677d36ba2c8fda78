//! Proxies, as the environment names them. Not here: which requests they are for (`edge/client`).

use bulla_client::{Exceptions, Named, Proxies, Proxy};

use crate::env::Env;

/// `VAULT_PROXY_ADDR`, or `VAULT_HTTP_PROXY` of old, is for all requests. Else `HTTPS_PROXY` and `HTTP_PROXY` are, each
/// for servers of its scheme, but for `NO_PROXY` and this machine itself; lower case will do, too.
///
/// # Errors
/// If the proxy for all is none, in words without its address: there may be a password in it.
pub fn proxies(env: &Env) -> Result<Proxies, String> {
    if let Some((variable, address)) = env.named("PROXY_ADDR").or_else(|| env.named("HTTP_PROXY")) {
        return Proxy::parse(address).map(Proxies::Always).map_err(|why| format!("{variable}: {why}"));
    }
    let either = |names: [&'static str; 2]| names.into_iter().find_map(|name| Some((name, env.plain(name)?)));
    let named = |names| either(names).map(|(by, text)| Named { by: by.to_owned(), proxy: Proxy::parse(text) });
    // Web servers hand a request's header `Proxy` to programs they start under this name.
    let http = named(["HTTP_PROXY", "http_proxy"]).filter(|proxy| !(is_cgi(env) && proxy.by == "HTTP_PROXY"));
    let except = Exceptions::parse(either(["NO_PROXY", "no_proxy"]).map_or("", |(_, list)| list));
    Ok(Proxies::ByScheme { http, https: named(["HTTPS_PROXY", "https_proxy"]), except })
}

fn is_cgi(env: &Env) -> bool {
    env.plain("REQUEST_METHOD").is_some()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;

    fn shown<const N: usize>(pairs: [(&str, &str); N]) -> String {
        match proxies(&Env::from(pairs)) {
            Ok(Proxies::ByScheme { http, https, .. }) => {
                let one = |named: Option<Named>| named.map_or("-".to_owned(), |named| named.proxy.unwrap().to_string());
                format!("{} {}", one(http), one(https))
            }
            Ok(Proxies::Always(proxy)) => format!("all {proxy}"),
            Ok(Proxies::None) => "none".to_owned(),
            Err(why) => why,
        }
    }

    #[test]
    fn which_variable_wins() {
        assert_eq!(shown([]), "- -");
        assert_eq!(shown([("HTTP_PROXY", "a"), ("https_proxy", "b:1")]), "http://a:80 http://b:1");
        assert_eq!(shown([("HTTPS_PROXY", "a"), ("https_proxy", "b"), ("http_proxy", "c")]), "http://c:80 http://a:80");
        assert_eq!(shown([("VAULT_PROXY_ADDR", "a"), ("BULLA_HTTP_PROXY", "b")]), "all http://a:80");
        assert_eq!(shown([("BAO_HTTP_PROXY", "https://b"), ("HTTPS_PROXY", "c")]), "all https://b:443");
        assert_eq!(
            shown([("VAULT_PROXY_ADDR", "x://pw@h")]),
            "VAULT_PROXY_ADDR: only proxies with http:// or https:// are supported"
        );
    }

    #[test]
    fn a_request_to_a_web_server_names_no_proxy() {
        assert_eq!(shown([("REQUEST_METHOD", "GET"), ("HTTP_PROXY", "evil")]), "- -");
        assert_eq!(
            shown([("REQUEST_METHOD", "GET"), ("http_proxy", "a"), ("HTTPS_PROXY", "b")]),
            "http://a:80 http://b:80"
        );
    }
}
