//! Comparison that takes the same time wherever two values differ.

use subtle::ConstantTimeEq;

/// Whether both are the same bytes. Time depends on the lengths alone; unequal lengths are unequal at once.
pub fn ct_eq(left: &[u8], right: &[u8]) -> bool {
    left.ct_eq(right).into()
}

#[cfg(test)]
mod tests {
    use super::ct_eq;

    #[test]
    fn equal_only_when_all_bytes_and_the_length_are() {
        assert!(ct_eq(b"", b""));
        assert!(ct_eq(b"bulla", b"bulla"));
        assert!(!ct_eq(b"bulla", b"bullb"));
        assert!(!ct_eq(b"aulla", b"bulla"));
        assert!(!ct_eq(b"bulla", b"bull"));
        assert!(!ct_eq(b"", b"b"));
    }
}
