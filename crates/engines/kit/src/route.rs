//! Routes as data: one table feeds the router, the documentation, the help and the tests.
//!
//! `C` is what the handlers get besides their parameters: [`crate::Ctx`] for engines; `core` has tables of its own for
//! `sys/`, one of them for routes that are open while sealed and whose context has no storage at all.

use crate::params::{FieldSpec, Params};
use crate::pattern::{Captures, Pattern};
use crate::{Answer, Body, EngineError, View};
use bulla_types::Operation;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

/// Who may come in at all. Policy decides the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// A token whose policies grant the operation.
    Token,
    /// As `Token`, and the policy must grant `sudo` too.
    Sudo,
    /// Anybody; a valid token that is sent is known to the handler, and none of its uses is spent. Login routes and
    /// published reads.
    Public,
}

/// A request's parameters before they have types.
#[derive(Clone, Debug)]
pub struct Input {
    pub operation: Operation,
    /// Relative to the mount.
    pub path: String,
    pub captures: Captures,
    pub body: Arc<Body>,
}

type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;
type Handler<C> = Box<dyn Fn(C, &Input) -> BoxFuture<Answer> + Send + Sync>;
type Exists = Box<dyn Fn(View, &Input) -> BoxFuture<Result<bool, EngineError>> + Send + Sync>;

/// The name whose failed logins are counted together, from a login request as it came; the same text as the claimed
/// alias's. `None` = the request names nobody, or lacks what makes it a try.
pub type LockoutName = fn(&Input) -> Option<String>;

/// How logins lock out.
#[derive(Clone, Copy, Debug)]
pub struct Lockout {
    pub name: LockoutName,
    /// The text of the method's [`EngineError::InvalidCredentials`].
    pub refusal: &'static str,
}

/// One operation of a route.
pub struct OpSpec<C> {
    pub operation: Operation,
    pub fields: &'static [FieldSpec],
    pub free_form: bool,
    pub summary: &'static str,
    handler: Handler<C>,
}

impl<C> OpSpec<C> {
    pub fn call(&self, ctx: C, input: &Input) -> BoxFuture<Answer> {
        (self.handler)(ctx, input)
    }

    /// Names in the body that this operation does not know, sorted.
    pub fn unknown<'a>(&self, body: &'a Body) -> Vec<&'a str> {
        if self.free_form {
            return Vec::new();
        }
        let mut names: Vec<&str> =
            body.iter().map(|(name, _)| name).filter(|n| !self.fields.iter().any(|f| f.name == *n)).collect();
        names.sort_unstable();
        names
    }

    /// Names that came in the path and in the body; the path wins.
    pub fn replaced<'a>(&self, input: &'a Input) -> Vec<&'a str> {
        let names = input.body.iter().map(|(name, _)| name);
        let mut both: Vec<&str> = names.filter(|n| input.captures.get(n).is_some()).collect();
        both.sort_unstable();
        both
    }
}

/// A pattern, who may use it, and its operations.
pub struct Route<C> {
    pub pattern: Pattern,
    pub access: Access,
    pub synopsis: &'static str,
    pub description: &'static str,
    /// Captures that mean the same in any case and with spaces around: lower-cased and trimmed before policy, storage and
    /// audit see them.
    pub folded: &'static [&'static str],
    /// Request members that audit shows in clear.
    pub clear_request: &'static [&'static str],
    /// Answer members that audit shows in clear.
    pub clear_response: &'static [&'static str],
    pub operations: Vec<OpSpec<C>>,
    /// Logins only: see [`Route::locks_out`].
    pub lockout: Option<Lockout>,
    exists: Option<Exists>,
}

impl<C: Send + 'static> Route<C> {
    fn new(pattern: &'static str, access: Access) -> Self {
        Self {
            pattern: Pattern::new(pattern),
            access,
            synopsis: "",
            description: "",
            folded: &[],
            clear_request: &[],
            clear_response: &[],
            operations: Vec::new(),
            lockout: None,
            exists: None,
        }
    }

    /// A route for tokens whose policy grants it.
    #[must_use]
    pub fn token(pattern: &'static str) -> Self {
        Self::new(pattern, Access::Token)
    }

    /// A route that needs the `sudo` capability besides.
    #[must_use]
    pub fn sudo(pattern: &'static str) -> Self {
        Self::new(pattern, Access::Sudo)
    }

    /// A route that needs no token.
    #[must_use]
    pub fn public(pattern: &'static str) -> Self {
        Self::new(pattern, Access::Public)
    }

    #[must_use]
    pub fn help(mut self, synopsis: &'static str, description: &'static str) -> Self {
        (self.synopsis, self.description) = (synopsis, description);
        self
    }

    #[must_use]
    pub fn folded(mut self, captures: &'static [&'static str]) -> Self {
        self.folded = captures;
        self
    }

    #[must_use]
    pub fn audit_clear(mut self, request: &'static [&'static str], response: &'static [&'static str]) -> Self {
        (self.clear_request, self.clear_response) = (request, response);
        self
    }

    /// Too many [`EngineError::InvalidCredentials`] for one name lock that name out for a while.
    #[must_use]
    pub fn locks_out(mut self, name: LockoutName, refusal: &'static str) -> Self {
        self.lockout = Some(Lockout { name, refusal });
        self
    }

    /// Tells whether what the path names is there: then a write is an `update`, else a `create`.
    #[must_use]
    pub fn exists<P: Params, F, Fut>(mut self, check: F) -> Self
    where
        F: Fn(View, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<bool, EngineError>> + Send + 'static,
    {
        self.exists = Some(Box::new(move |view, input| match P::from_input(input) {
            Ok(params) => Box::pin(check(view, params)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        }));
        self
    }

    #[must_use]
    pub fn on<P: Params, F, Fut>(mut self, operation: Operation, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        let handler: Handler<C> = Box::new(move |ctx, input| match P::from_input(input) {
            Ok(params) => Box::pin(handler(ctx, params)),
            Err(error) => Box::pin(std::future::ready(Err(error))),
        });
        let summary = self.synopsis;
        self.operations.push(OpSpec { operation, fields: P::FIELDS, free_form: P::FREE_FORM, summary, handler });
        self
    }

    #[must_use]
    pub fn read<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::Read, handler)
    }

    /// POST and PUT; `create` too where [`Route::exists`] says so.
    #[must_use]
    pub fn update<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::Update, handler)
    }

    #[must_use]
    pub fn patch<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::Patch, handler)
    }

    #[must_use]
    pub fn delete<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::Delete, handler)
    }

    #[must_use]
    pub fn list<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::List, handler)
    }

    #[must_use]
    pub fn scan<P: Params, F, Fut>(self, handler: F) -> Self
    where
        F: Fn(C, P) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Answer> + Send + 'static,
    {
        self.on(Operation::Scan, handler)
    }
}

impl<C> Route<C> {
    /// The entry for an operation; a create is served by the update's.
    pub fn operation(&self, operation: Operation) -> Option<&OpSpec<C>> {
        let wanted = if operation == Operation::Create { Operation::Update } else { operation };
        self.operations.iter().find(|op| op.operation == wanted)
    }

    pub fn has_existence_check(&self) -> bool {
        self.exists.is_some()
    }

    /// # Errors
    /// Whatever the check meets.
    pub async fn check_exists(&self, view: View, input: &Input) -> Result<bool, EngineError> {
        match &self.exists {
            Some(check) => check(view, input).await,
            None => Ok(true),
        }
    }
}

/// The table of an engine. The first pattern that fits wins.
pub struct Routes<C> {
    routes: Vec<Route<C>>,
}

impl<C> Routes<C> {
    pub fn new(routes: Vec<Route<C>>) -> Self {
        Self { routes }
    }

    pub fn iter(&self) -> impl Iterator<Item = &Route<C>> {
        self.routes.iter()
    }

    pub fn get(&self, index: usize) -> Option<&Route<C>> {
        self.routes.get(index)
    }

    /// The index of the route of `path` (relative to the mount) and what it caught. The first pattern that fits wins, whatever its
    /// operations: a path has one meaning. Only routes that can list pass over the trailing slash of a list.
    pub fn find(&self, path: &str, operation: Operation) -> Option<(usize, Captures)> {
        let listing = matches!(operation, Operation::List | Operation::Scan);
        self.routes.iter().enumerate().find_map(|(index, route)| {
            let folder = listing && route.operation(operation).is_some();
            let mut captures = route.pattern.matches(path, folder)?;
            for name in route.folded {
                let folded = captures.get(name).map(|text| text.trim().to_lowercase());
                if let Some(text) = folded {
                    captures.set(name, text);
                }
            }
            Some((index, captures))
        })
    }
}
