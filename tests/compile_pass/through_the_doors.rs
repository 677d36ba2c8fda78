//! The same with the checks done compiles: the failures beside are about the missing proof and nothing else.
use bulla_audit::Disclosable;
use bulla_barrier::{Gate, Txn, View};
use bulla_core::{Answer, Core, Request};
use bulla_http::{BoxFuture, Service};
use bulla_types::ScopeId;
use std::sync::Arc;

struct Careful(Arc<Core>);

impl Service for Careful {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        Box::pin(async move { self.0.handle(request).await })
    }
}

fn main() {
    let gate = Gate::<()>::default();
    if let Ok(pass) = gate.pass() {
        let txn = Txn::begin(&pass).unwrap();
        let _ = View::new(&txn, ScopeId([0; 16]));
    }
}
