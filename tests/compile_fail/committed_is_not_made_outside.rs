//! Only a commit proves that something is durable.
use bulla_barrier::Committed;

fn main() {
    let _ = Committed("not written");
}
