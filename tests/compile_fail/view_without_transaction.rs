//! A view is a place inside a transaction, hence behind a pass.
use bulla_barrier::View;
use bulla_types::ScopeId;

fn main() {
    let _ = View { scope: ScopeId([0; 16]) };
}
