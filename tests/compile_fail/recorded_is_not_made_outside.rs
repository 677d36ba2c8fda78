//! Only audit proves that a request was recorded.
use bulla_audit::Recorded;

fn main() {
    let _ = Recorded { permit: (), tickets: unreachable!() };
}
