//! A handler that has no pass has no transaction.
use bulla_barrier::{Sealed, Txn};

fn main() {
    let sealed: Result<(), Sealed> = Err(Sealed);
    let _ = Txn::begin(&sealed);
}
