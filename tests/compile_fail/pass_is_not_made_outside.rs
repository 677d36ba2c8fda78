//! Only the gate hands out passes.
use bulla_barrier::Pass;

fn main() {
    let _: Pass<()> = Pass { slot: unreachable!() };
}
