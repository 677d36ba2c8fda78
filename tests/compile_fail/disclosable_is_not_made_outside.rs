//! Only audit lets an answer out.
use bulla_audit::Disclosable;

fn main() {
    let _ = Disclosable { answer: "secret" };
}
