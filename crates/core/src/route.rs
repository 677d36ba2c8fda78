//! Door 4: from a path to a mount, a route and what the route caught.

use crate::request::Request;
use crate::state::{Backend, Mount, State};
use crate::sys::SysCtx;
use bulla_barrier::View;
use bulla_kit::{
    Access, Answer, Body, Captures, Ctx, Engine, EngineError, FieldSpec, Input, RawJson, Reply, Route, Routes, describe,
};
use bulla_types::{Operation, RequestPath};
use serde_json::json;
use std::sync::Arc;

/// Index of a route in its table.
pub type Found = Option<usize>;

pub enum Matched {
    Engine(Arc<dyn Engine>, Found),
    System(Arc<Routes<SysCtx>>, Found),
    Nothing,
}

pub struct Routed {
    pub mount: Arc<Mount>,
    pub matched: Matched,
    pub input: Input,
    /// The whole path with names folded as the route says: what policy and audit see.
    pub path: RequestPath,
}

/// The mount of a request and its route there; `None` = nothing is mounted at the path.
pub fn route(state: &State, request: &Request) -> Option<Routed> {
    route_to(state, &request.path, request.operation, &request.body)
}

/// As [`route`], for a path that need not be a request's.
pub fn route_to(state: &State, path: &RequestPath, operation: Operation, body: &Arc<Body>) -> Option<Routed> {
    let folder = matches!(operation, Operation::List | Operation::Scan);
    let path = if folder { path.as_folder() } else { path.clone() };
    let (mount, rest) = state.mounts.find(path.as_str())?;
    let (matched, captures, folded) = match &mount.backend {
        Backend::Engine(engine) => {
            let (found, captures, folded) = find(engine.routes(), rest, operation);
            (Matched::Engine(Arc::clone(engine), found), captures, folded)
        }
        Backend::System(table) => {
            let (found, captures, folded) = find(table, rest, operation);
            (Matched::System(Arc::clone(table), found), captures, folded)
        }
        Backend::Unknown => (Matched::Nothing, Captures::default(), None),
    };
    let whole = match &folded {
        Some(rest) => RequestPath::parse(&format!("{}{rest}", mount.record.path)).ok()?,
        None => path.clone(),
    };
    let input = Input { operation, path: folded.unwrap_or_else(|| rest.to_owned()), captures, body: Arc::clone(body) };
    Some(Routed { mount: Arc::clone(mount), matched, input, path: whole })
}

/// The route's index, its captures, and the relative path with folded names if folding changed it.
fn find<C>(routes: &Routes<C>, rest: &str, operation: Operation) -> (Found, Captures, Option<String>) {
    let Some((index, captures)) = routes.find(rest, operation) else { return (None, Captures::default(), None) };
    let Some(route) = routes.get(index) else { return (None, captures, None) };
    let folded = (!route.folded.is_empty()).then(|| route.pattern.render(&captures)).filter(|text| text != rest);
    (Some(index), captures, folded)
}

impl Routed {
    pub fn access(&self) -> Access {
        match &self.matched {
            Matched::Engine(engine, Some(at)) => engine.routes().get(*at).map_or(Access::Token, |r| r.access),
            Matched::System(table, Some(at)) => table.get(*at).map_or(Access::Token, |r| r.access),
            _ => Access::Token,
        }
    }

    pub fn needs_sudo(&self) -> bool {
        self.access() == Access::Sudo
    }

    /// The parameters that the operation knows here.
    pub fn fields(&self, operation: Operation) -> &'static [FieldSpec] {
        let fields = match &self.matched {
            Matched::Engine(engine, Some(at)) => {
                engine.routes().get(*at).and_then(|r| r.operation(operation)).map(|op| op.fields)
            }
            Matched::System(table, Some(at)) => table.get(*at).and_then(|r| r.operation(operation)).map(|op| op.fields),
            _ => None,
        };
        fields.unwrap_or_default()
    }

    /// The name whose failed logins count together, and how the method words its refusal; `None` = this is no login that
    /// locks out.
    pub fn lockout_name(&self) -> Option<(String, &'static str)> {
        let Matched::Engine(engine, Some(at)) = &self.matched else { return None };
        let route = engine.routes().get(*at)?;
        route.operation(self.input.operation)?;
        let lockout = route.lockout?;
        (lockout.name)(&self.input).map(|name| (name, lockout.refusal))
    }

    /// Members of request and answer that audit shows in clear.
    pub fn audit_clear(&self) -> (&'static [&'static str], &'static [&'static str]) {
        match &self.matched {
            Matched::Engine(engine, Some(at)) => {
                engine.routes().get(*at).map_or((&[], &[]), |r| (r.clear_request, r.clear_response))
            }
            Matched::System(table, Some(at)) => {
                table.get(*at).map_or((&[], &[]), |r| (r.clear_request, r.clear_response))
            }
            _ => (&[], &[]),
        }
    }

    /// Whether what a write names is there already; yes where the route does not care.
    pub async fn exists(&self, view: View) -> Result<bool, EngineError> {
        match &self.matched {
            Matched::Engine(engine, Some(at)) => match engine.routes().get(*at) {
                Some(route) => route.check_exists(view, &self.input).await,
                None => Ok(true),
            },
            Matched::System(table, Some(at)) => match table.get(*at) {
                Some(route) => route.check_exists(view, &self.input).await,
                None => Ok(true),
            },
            _ => Ok(true),
        }
    }

    pub async fn call_engine(&self, engine: &Arc<dyn Engine>, found: Found, ctx: Ctx, input: &Input) -> Answer {
        let Some(route) = found.and_then(|at| engine.routes().get(at)) else { return engine.unmatched(input) };
        call(route, ctx, input).await
    }

    pub async fn call_system(&self, table: &Routes<SysCtx>, found: Found, ctx: SysCtx, input: &Input) -> Answer {
        let Some(route) = found.and_then(|at| table.get(at)) else { return Err(EngineError::UnsupportedPath) };
        call(route, ctx, input).await
    }

    /// Names in the request that nobody asked for are told, where there is an answer to tell it in.
    pub fn with_warnings(&self, mut reply: Reply, input: &Input) -> Reply {
        if !reply.some || reply.raw.is_some() {
            return reply;
        }
        let (unknown, replaced) = match &self.matched {
            Matched::Engine(engine, Some(at)) => {
                engine.routes().get(*at).map_or_else(Default::default, |route| strays(route, input))
            }
            Matched::System(table, Some(at)) => {
                table.get(*at).map_or_else(Default::default, |route| strays(route, input))
            }
            _ => Default::default(),
        };
        if !unknown.is_empty() {
            reply.warnings.push(format!("Endpoint ignored these unrecognized parameters: [{}]", unknown.join(" ")));
        }
        if !replaced.is_empty() {
            reply.warnings.push(format!(
                "Endpoint replaced the value of these parameters with the values captured from the endpoint's path: [{}]",
                replaced.join(" ")
            ));
        }
        reply
    }

    /// The headers that the mount is tuned to pass, names in lower case; never the server's own token.
    pub fn passed_headers(&self, request: &Request) -> Vec<(String, String)> {
        let mut passed = Vec::new();
        for name in &self.mount.record.config.passthrough_request_headers {
            let name = name.to_lowercase();
            if name == "x-vault-token" {
                continue;
            }
            request.headers.each(&name, &mut |value| {
                let own = request.token.as_ref().map_or("", |token| token.dangerous_expose());
                if own.is_empty() || !value.contains(own) {
                    passed.push((name.clone(), value.to_owned()));
                }
            });
        }
        passed
    }

    pub fn help(&self) -> Answer {
        let path = self.path.as_str();
        let text = match &self.matched {
            Matched::Engine(engine, Some(at)) => engine.routes().get(*at).map(|r| describe(path, r)),
            Matched::Engine(engine, None) if self.input.path.is_empty() => Some(engine.help().to_owned()),
            Matched::System(table, Some(at)) => table.get(*at).map(|r| describe(path, r)),
            Matched::System(table, None) if self.input.path.is_empty() => {
                let lines = table.iter().map(|r| format!("    {}\n        {}\n", r.pattern.text(), r.synopsis));
                Some(format!("## PATHS\n\n{}", lines.collect::<String>()))
            }
            _ => None,
        };
        let Some(text) = text else { return Err(EngineError::UnsupportedPath) };
        let data = RawJson::of(&json!({ "help": text, "see_also": null, "openapi": null }))
            .map_err(|_| EngineError::internal("the help could not be written"))?;
        Ok(Reply::data(data).bare())
    }
}

fn strays<C>(route: &Route<C>, input: &Input) -> (Vec<String>, Vec<String>) {
    let Some(op) = route.operation(input.operation) else { return Default::default() };
    let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
    (owned(op.unknown(&input.body)), owned(op.replaced(input)))
}

async fn call<C>(route: &Route<C>, ctx: C, input: &Input) -> Answer {
    match route.operation(input.operation) {
        Some(op) => op.call(ctx, input).await,
        None => Err(EngineError::UnsupportedOperation),
    }
}
