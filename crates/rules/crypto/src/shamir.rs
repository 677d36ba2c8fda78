//! Shamir's secret sharing over GF(2^8) with the AES polynomial, byte by byte, in constant time.
//!
//! A share is the value of the polynomial for each byte of the secret, then one byte: the coordinate x. The secret is the
//! value at x = 0. Shares are interchangeable with HashiCorp Vault's.

use crate::error::CryptoError;
use crate::random;
use bulla_secret::SecretBytes;
use std::fmt;
use zeroize::Zeroizing;

#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ShamirError {
    #[error("shares and threshold must be between 2 and 255, and the threshold not above the shares")]
    BadNumbers,
    #[error("cannot split an empty secret")]
    EmptySecret,
    #[error("less than two parts cannot be used to reconstruct the secret")]
    TooFew,
    #[error("parts must be at least two bytes")]
    TooShort,
    #[error("all parts must be the same length")]
    UnequalLengths,
    #[error("duplicate part detected")]
    Duplicate,
    /// The value at 0 is the secret itself: no share has this coordinate.
    #[error("a part has no valid coordinate")]
    ZeroCoordinate,
    #[error(transparent)]
    Crypto(#[from] CryptoError),
}

/// One share: values, then the coordinate.
pub struct Share(SecretBytes);

impl Share {
    /// Takes the bytes as they are; [`combine`] judges them.
    pub fn from_bytes(bytes: SecretBytes) -> Self {
        Self(bytes)
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        self.0.expose(look)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn ct_eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0)
    }

    pub fn into_bytes(self) -> SecretBytes {
        self.0
    }

    fn coordinate(&self) -> u8 {
        self.0.expose(|bytes| bytes.last().copied().unwrap_or(0))
    }
}

impl fmt::Debug for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Share({} bytes)", self.0.len())
    }
}

/// Splits `secret` into `shares` shares of which any `threshold` give it back, and fewer tell nothing.
///
/// # Errors
/// Numbers out of range, an empty secret, no randomness.
pub fn split(secret: &[u8], shares: u8, threshold: u8) -> Result<Vec<Share>, ShamirError> {
    if shares < 2 || threshold < 2 || threshold > shares {
        return Err(ShamirError::BadNumbers);
    }
    if secret.is_empty() {
        return Err(ShamirError::EmptySecret);
    }
    // One row of coefficients per power of x, the highest power first; uniform, zero included, or shares would tell
    // something about the secret.
    let mut coefficients = Zeroizing::new(vec![0; secret.len() * (usize::from(threshold) - 1)]);
    random::fill(&mut coefficients)?;
    coordinates(shares)?.into_iter().map(|x| Ok(share_at(x, secret, &coefficients))).collect()
}

/// Gives the secret back. Shares of another secret, or too few, give other bytes, not an error: whoever asked has to
/// check the result, by opening what it seals.
///
/// # Errors
/// Fewer than two shares, shares that are too short, of unequal length, with the same coordinate or with none.
pub fn combine(shares: &[Share]) -> Result<SecretBytes, ShamirError> {
    let xs = checked_coordinates(shares)?;
    let length = shares.first().map_or(0, Share::len) - 1;
    let mut secret = SecretBytes::zeroed(length);
    for (at, share) in shares.iter().enumerate() {
        let weight = weight_at_zero(&xs, at);
        share.expose(|values| {
            secret.with_mut(|sum| {
                for (sum, value) in sum.iter_mut().zip(values) {
                    *sum ^= multiply(*value, weight);
                }
            });
        });
    }
    Ok(secret)
}

fn checked_coordinates(shares: &[Share]) -> Result<Vec<u8>, ShamirError> {
    let [first, rest @ ..] = shares else { return Err(ShamirError::TooFew) };
    if rest.is_empty() {
        return Err(ShamirError::TooFew);
    }
    if first.len() < 2 {
        return Err(ShamirError::TooShort);
    }
    if rest.iter().any(|share| share.len() != first.len()) {
        return Err(ShamirError::UnequalLengths);
    }
    let mut seen = [false; 256];
    let mut xs = Vec::with_capacity(shares.len());
    for x in shares.iter().map(Share::coordinate) {
        if x == 0 {
            return Err(ShamirError::ZeroCoordinate);
        }
        // Coordinates are not secret: they may index.
        if std::mem::replace(&mut seen[usize::from(x)], true) {
            return Err(ShamirError::Duplicate);
        }
        xs.push(x);
    }
    Ok(xs)
}

/// `count` distinct coordinates from 1 to 255 in random order: the head of a shuffle (Fisher and Yates).
fn coordinates(count: u8) -> Result<Vec<u8>, CryptoError> {
    let mut all: Vec<u8> = (1..=255).collect();
    for at in 0..count {
        let other = usize::from(at) + usize::from(random::below(255 - at)?);
        all.swap(usize::from(at), other);
    }
    all.truncate(usize::from(count));
    Ok(all)
}

/// Horner's rule for all bytes of the secret, in the place where the share stays.
fn share_at(x: u8, secret: &[u8], coefficients: &[u8]) -> Share {
    let mut share = SecretBytes::zeroed(secret.len() + 1);
    share.with_mut(|values| {
        for row in coefficients.chunks_exact(secret.len()).chain([secret]) {
            for (value, coefficient) in values.iter_mut().zip(row) {
                *value = multiply(*value, x) ^ coefficient;
            }
        }
        if let Some(last) = values.last_mut() {
            *last = x;
        }
    });
    Share(share)
}

/// Lagrange's weight of the share number `at` for the value at zero; minus is plus here.
fn weight_at_zero(xs: &[u8], at: usize) -> u8 {
    let own = xs[at];
    let others = xs.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, x)| *x);
    let (over, under) = others.fold((1, 1), |(over, under), x| (multiply(over, x), multiply(under, x ^ own)));
    multiply(over, inverse(under))
}

/// Product modulo x^8 + x^4 + x^3 + x + 1 by masks: no branch and no table depends on the factors.
fn multiply(mut a: u8, b: u8) -> u8 {
    let mut product = 0;
    for bit in 0..8 {
        product ^= a & mask(b >> bit);
        a = (a << 1) ^ (mask(a >> 7) & 0x1b);
    }
    product
}

/// All ones if the lowest bit is set, else zero. The barrier keeps the compiler from making a branch of it.
fn mask(bit: u8) -> u8 {
    std::hint::black_box(0u8.wrapping_sub(bit & 1))
}

/// a^254, which is 1/a for all but zero: exponents 2 + 4 + ... + 128.
fn inverse(a: u8) -> u8 {
    let mut power = a;
    let mut product = 1;
    for _ in 0..7 {
        power = multiply(power, power);
        product = multiply(product, power);
    }
    product
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use proptest::prelude::*;

    /// The slow obvious model: logarithms to the generator 3, and interpolation as in a textbook.
    mod model {
        pub struct Field {
            log: [usize; 256],
            exp: [u8; 255],
        }

        impl Field {
            pub fn new() -> Self {
                let (mut log, mut exp) = ([0; 256], [0; 255]);
                let mut power = 1u16;
                for (at, place) in exp.iter_mut().enumerate() {
                    *place = power as u8;
                    log[power as usize] = at;
                    power ^= power << 1;
                    if power > 0xff {
                        power ^= 0x11b;
                    }
                }
                Self { log, exp }
            }

            pub fn times(&self, a: u8, b: u8) -> u8 {
                if a == 0 || b == 0 { 0 } else { self.exp[(self.log[a as usize] + self.log[b as usize]) % 255] }
            }

            pub fn over(&self, a: u8, b: u8) -> u8 {
                if a == 0 { 0 } else { self.exp[(255 + self.log[a as usize] - self.log[b as usize]) % 255] }
            }

            pub fn combine(&self, shares: &[Vec<u8>]) -> Vec<u8> {
                let length = shares[0].len() - 1;
                let mut secret = vec![0; length];
                for (at, place) in secret.iter_mut().enumerate() {
                    for (i, share) in shares.iter().enumerate() {
                        let mut term = share[at];
                        for (j, other) in shares.iter().enumerate() {
                            if i != j {
                                term = self.over(self.times(term, other[length]), other[length] ^ share[length]);
                            }
                        }
                        *place ^= term;
                    }
                }
                secret
            }
        }
    }

    fn share(bytes: &[u8]) -> Share {
        Share::from_bytes(SecretBytes::copy_of(bytes))
    }

    fn combined(shares: &[&[u8]]) -> Result<Vec<u8>, ShamirError> {
        let shares: Vec<_> = shares.iter().map(|bytes| share(bytes)).collect();
        combine(&shares).map(|secret| secret.expose(<[u8]>::to_vec))
    }

    #[test]
    fn arithmetic_agrees_with_the_model_everywhere() {
        let field = model::Field::new();
        for a in 0..=255 {
            for b in 0..=255 {
                assert_eq!(multiply(a, b), field.times(a, b), "{a} * {b}");
            }
            assert_eq!(multiply(a, inverse(a)), u8::from(a != 0), "1 / {a}");
        }
        // FIPS 197, section 4.2: 57 * 83 = c1, 57 * 13 = fe.
        assert_eq!((multiply(0x57, 0x83), multiply(0x57, 0x13)), (0xc1, 0xfe));
    }

    /// By hand. f(x) = 1 + 2 x: f(1) = 3, f(2) = 5, f(3) = 7. g(x) = 53 + ca x: g(1) = 99, and since 53 * ca = 1,
    /// g(53) = 52. h(x) = 1 + 2 x + 4 x^2: h(1) = 7, h(2) = 1 + 4 + 10 = 15, h(3) = 1 + 6 + 4 * 5 = 13.
    #[test]
    fn shares_worked_out_by_hand() {
        for pair in [[&[3, 1][..], &[5, 2]], [&[5, 2], &[7, 3]], [&[7, 3], &[3, 1]]] {
            assert_eq!(combined(&pair), Ok(vec![1]));
        }
        assert_eq!(combined(&[&[0x99, 0x01], &[0x52, 0x53]]), Ok(vec![0x53]));
        assert_eq!(combined(&[&[7, 1], &[0x15, 2], &[0x13, 3]]), Ok(vec![1]));
        assert_eq!(combined(&[&[3, 0x99, 1], &[5, 0x53 ^ 0x8f, 2]]), Ok(vec![1, 0x53]), "ca * 2 = 8f");
    }

    #[test]
    fn unfit_shares_are_refused() {
        assert_eq!(combined(&[]), Err(ShamirError::TooFew));
        assert_eq!(combined(&[&[3, 1]]), Err(ShamirError::TooFew));
        assert_eq!(combined(&[&[1], &[2]]), Err(ShamirError::TooShort));
        assert_eq!(combined(&[&[], &[]]), Err(ShamirError::TooShort));
        assert_eq!(combined(&[&[3, 1], &[5, 5, 2]]), Err(ShamirError::UnequalLengths));
        assert_eq!(combined(&[&[3, 1], &[5, 1]]), Err(ShamirError::Duplicate));
        assert_eq!(combined(&[&[3, 1], &[5, 0]]), Err(ShamirError::ZeroCoordinate));
    }

    #[test]
    fn numbers_have_limits() {
        let outcome = |shares, threshold| split(b"secret", shares, threshold).map(|all| all.len());
        assert_eq!(outcome(1, 1), Err(ShamirError::BadNumbers));
        assert_eq!(outcome(2, 1), Err(ShamirError::BadNumbers));
        assert_eq!(outcome(2, 3), Err(ShamirError::BadNumbers));
        assert_eq!(outcome(0, 0), Err(ShamirError::BadNumbers));
        assert_eq!(outcome(2, 2), Ok(2));
        assert_eq!(outcome(255, 2), Ok(255));
        assert_eq!(split(b"", 2, 2).map(|all| all.len()), Err(ShamirError::EmptySecret));
    }

    #[test]
    fn coordinates_are_distinct_not_zero_and_in_no_order() {
        let xs = coordinates(255).unwrap();
        let mut sorted = xs.clone();
        sorted.sort_unstable();
        assert_eq!(sorted, (1..=255).collect::<Vec<u8>>());
        assert_ne!(xs, sorted);
        let first: std::collections::BTreeSet<_> = (0..40).map(|_| coordinates(2).unwrap()[0]).collect();
        assert!(first.len() > 5, "{first:?}");
    }

    #[test]
    fn all_of_the_largest_set_give_the_secret_back_and_one_less_does_not() {
        let secret = b"0123456789abcdef0123456789abcdef";
        let mut shares = split(secret, 255, 255).unwrap();
        assert!(combine(&shares).unwrap().expose(|bytes| bytes == secret));
        shares.pop();
        assert!(combine(&shares).unwrap().expose(|bytes| bytes != secret));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        #[test]
        fn any_threshold_of_the_shares_is_enough(
            secret in proptest::collection::vec(any::<u8>(), 1..40),
            (shares, threshold) in (2u8..=255).prop_flat_map(|n| (Just(n), 2..=n)),
            start in any::<prop::sample::Index>(),
        ) {
            let mut all = split(&secret, shares, threshold).unwrap();
            prop_assert!(all.iter().all(|share| share.len() == secret.len() + 1));
            let start = start.index(all.len());
            all.rotate_left(start);
            all.truncate(usize::from(threshold));
            prop_assert_eq!(combine(&all).unwrap().expose(<[u8]>::to_vec), secret.clone());
            let raw: Vec<_> = all.iter().map(|share| share.expose(<[u8]>::to_vec)).collect();
            prop_assert_eq!(model::Field::new().combine(&raw), secret);
        }
    }
}
