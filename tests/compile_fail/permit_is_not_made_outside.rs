//! Only a policy allows.
use bulla_policy::Permit;

fn main() {
    let _ = Permit { basis: unreachable!(), page_limit: None };
}
