//! bulla-benches
fn main() {}
