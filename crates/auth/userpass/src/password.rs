//! Passwords and their bcrypt hashes (Provos and Mazières 1999, as OpenBSD's `$2b$`).
//!
//! A hash of cost c takes 2^c rounds. Every login does the same number of rounds, whoever it is for: [`check`] fills up
//! what the user's own hash does not take.

use bcrypt::{HashParts, Version};
use bulla_auth_tokens::SecretParam;
use bulla_kit::EngineError;
use bulla_secret::scrub_stack;
use std::ops::RangeInclusive;

/// Of the hashes made here.
pub const COST: u32 = 10;

/// Of ready-made hashes. More would let one user slow down everybody.
pub const COSTS: RangeInclusive<u32> = 5..=12;

/// The most of a password that counts for bcrypt, in bytes. Longer ones are refused rather than cut off.
pub const MAX: usize = 72;

/// The salt of work that nobody's hash comes from.
const NOBODY: [u8; 16] = *b"nobody has this!";

/// # Errors
/// Longer than [`MAX`].
pub fn check_length(password: &SecretParam) -> Result<(), EngineError> {
    if password.len() > MAX {
        return Err(EngineError::bad(format!("password length exceeds {MAX} bytes")));
    }
    Ok(())
}

/// The cost of a ready-made hash.
///
/// # Errors
/// It is none, or costs too little or too much.
pub fn cost_of(hash: &str) -> Result<u32, EngineError> {
    let invalid = || EngineError::bad("password_hash is not a valid bcrypt hash");
    // `$2x$` marks hashes of a faulty implementation, which no password gives here.
    if !["$2a$", "$2b$", "$2y$"].iter().any(|version| hash.starts_with(version)) {
        return Err(invalid());
    }
    let cost = hash.parse::<HashParts>().map_err(|_| invalid())?.get_cost();
    if !COSTS.contains(&cost) {
        let (least, most) = COSTS.into_inner();
        return Err(EngineError::bad(format!("the cost of password_hash must be between {least} and {most}")));
    }
    Ok(cost)
}

/// A fresh hash; for the pool.
///
/// # Errors
/// The library refuses, which it does for no cost of ours.
pub fn hash(password: &SecretParam, salt: [u8; 16]) -> Result<String, EngineError> {
    let parts = bcrypt::hash_with_salt(password.dangerous_expose(), COST, salt);
    scrub_stack();
    parts.map(|parts| parts.format_for_version(Version::TwoB)).map_err(|_| EngineError::internal("no hash was made"))
}

/// Whether `password` gives `hash`, in 2^`work` rounds all in all; `None` = nobody's, the same work for nothing. For the
/// pool. What is beyond [`MAX`] bytes does not count, as where a ready-made hash of such a password comes from.
pub fn check(password: &SecretParam, hash: Option<&str>, work: u32) -> bool {
    let own = hash.and_then(|text| text.parse::<HashParts>().ok()).map(|parts| parts.get_cost());
    let fits = match (hash, own) {
        (Some(hash), Some(_)) => bcrypt::verify(password.dangerous_expose(), hash).unwrap_or(false),
        _ => false,
    };
    for cost in filling(own, work) {
        // Kept from being left out: the time is what it is for.
        std::hint::black_box(bcrypt::hash_with_salt(password.dangerous_expose(), cost, NOBODY).is_ok());
    }
    scrub_stack();
    fits
}

/// Costs of the hashes that together with one of cost `own` make 2^`work` rounds: 2^5 + 2^5 + 2^6 + … + 2^9 = 2^10.
fn filling(own: Option<u32>, work: u32) -> Vec<u32> {
    match own {
        Some(own) => (own..work).collect(),
        None => vec![work],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn password(text: &str) -> SecretParam {
        SecretParam::new(text.into())
    }

    /// What crypt(3) of libxcrypt makes of them; the last is longer than what counts.
    #[test]
    fn hashes_of_another_implementation_are_understood() {
        for (text, hash) in [
            ("U*U", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"),
            ("U*", "$2a$05$CCCCCCCCCCCCCCCCCCCCC.N0wO4z3EELuk/ycIifDScNe.mijJ.Sa"),
            ("U*U*", "$2b$05$XXXXXXXXXXXXXXXXXXXXXOEA5zdESHGZg1el8MmIQBrOadA9Lngi6"),
            ("", "$2y$05$CCCCCCCCCCCCCCCCCCCCC.7uG0VCzI2bS7j6ymqJi9CdcdxiRTWNy"),
            (&"é".repeat(40), "$2b$05$CCCCCCCCCCCCCCCCCCCCC.Msh9GTqEdRbfZzYwvijW0diUTS7ZS6e"),
        ] {
            let text_and_cost = cost_of(hash).map(|cost| (check(&password(text), Some(hash), 5), cost));
            assert_eq!(text_and_cost.ok(), Some((true, 5)), "{text}");
            assert!(!check(&password("x"), Some(hash), 5));
        }
    }

    #[test]
    fn a_fresh_hash_fits_its_password_only() {
        let made = hash(&password("right"), [7; 16]).unwrap();
        assert_eq!(cost_of(&made).unwrap(), COST);
        assert!(check(&password("right"), Some(&made), COST));
        assert!(!check(&password("Right"), Some(&made), COST));
        assert!(!check(&password("right"), None, 5));
        assert!(!check(&password("right"), Some("damaged"), 5));
    }

    #[test]
    fn lengths_up_to_the_limit() {
        assert!(check_length(&password(&"x".repeat(72))).is_ok());
        assert!(check_length(&password(&"x".repeat(73))).is_err());
        // Two bytes a character: 72 and 74.
        assert!(check_length(&password(&"é".repeat(36))).is_ok());
        assert!(check_length(&password(&"é".repeat(37))).is_err());
        // All 72 bytes count, what follows does not.
        let made = hash(&password(&"x".repeat(72)), [7; 16]).unwrap();
        assert!(check(&password(&"x".repeat(72)), Some(&made), 5));
        assert!(!check(&password(&"x".repeat(71)), Some(&made), 5));
        assert!(check(&password(&"x".repeat(73)), Some(&made), 5));
    }

    #[test]
    fn ready_made_hashes_are_looked_at() {
        let rest = "CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW";
        for version in ["2a", "2b", "2y"] {
            assert_eq!(cost_of(&format!("${version}$05${rest}")).unwrap(), 5);
        }
        assert_eq!(cost_of(&format!("$2a$12${rest}")).unwrap(), 12);
        for cost in ["04", "13", "31"] {
            let refusal = cost_of(&format!("$2a${cost}${rest}")).unwrap_err().to_string();
            assert_eq!(refusal, "the cost of password_hash must be between 5 and 12", "{cost}");
        }
        let cut = &rest[..rest.len() - 1];
        for bad in ["nonsense", "", &format!("$2x$05${rest}"), &format!("$2a$05${cut}"), &format!("$2a$05${rest}x")] {
            assert_eq!(cost_of(bad).unwrap_err().to_string(), "password_hash is not a valid bcrypt hash", "{bad}");
        }
        assert!(cost_of("$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyO\u{e9}").is_err());
    }

    /// Whatever a user's own hash costs, a login does 2^work rounds.
    #[test]
    fn the_work_of_a_login_is_the_same_for_everybody() {
        for work in 10..=12_u32 {
            assert_eq!(filling(None, work), [work]);
            for own in COSTS.filter(|own| *own <= work) {
                let rounds = (1 << own) + filling(Some(own), work).iter().map(|cost| 1_u32 << cost).sum::<u32>();
                assert_eq!(rounds, 1 << work, "{own} of {work}");
            }
        }
    }
}
