//! A check that was forgotten does not compile: storage asks for a `Pass`, the edge for a `Disclosable`, and neither
//! these nor the other proofs can be made by anybody but the crate that does the check.

#[test]
fn what_skips_a_door_does_not_compile() {
    let cases = trybuild::TestCases::new();
    cases.compile_fail("compile_fail/*.rs");
    cases.pass("compile_pass/*.rs");
}
