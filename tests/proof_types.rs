//! A check that was forgotten does not compile: storage asks for a `Pass`, the edge for a `Disclosable`, and neither
//! these nor the other proofs can be made by anybody but the crate that does the check.
#![allow(clippy::unwrap_used, reason = "tests")]

use bulla_audit::Disclosable;
use bulla_barrier::{Gate, Txn, View};
use bulla_core::{Answer, Core, Request};
use bulla_http::{BoxFuture, Service};
use bulla_types::ScopeId;
use std::sync::Arc;

#[test]
fn what_skips_a_door_does_not_compile() {
    trybuild::TestCases::new().compile_fail("compile_fail/*.rs");
}

/// The same with the checks done compiles: the failures are about the missing proof and nothing else.
#[expect(dead_code, reason = "it is enough that it compiles")]
struct Careful(Arc<Core>);

impl Service for Careful {
    fn handle(&self, request: Request) -> BoxFuture<'_, Disclosable<Answer>> {
        Box::pin(async move { self.0.handle(request).await })
    }
}

#[test]
fn a_closed_gate_gives_no_pass_and_an_open_one_leads_to_storage() {
    let gate = Gate::<()>::default();
    let view = || Some(View::new(&Txn::begin(&gate.pass().ok()?).unwrap(), ScopeId([0; 16])));
    assert!(view().is_none());
}
