//! A new root token from the shares, handed over under a one-time password that only the initiator knows.

use crate::round::{Purpose, RoundError, RoundProgress, ShareRound};
use crate::share::Share;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, NO_PAD};
use base64::{DecodeError, Engine};
use bulla_secret::SecretText;

/// Unpadded; bits that do not count in the last character may be set, as the reference allows.
const RAW: GeneralPurpose =
    GeneralPurpose::new(&base64::alphabet::STANDARD, RAW_CONFIG.with_decode_allow_trailing_bits(true));
const RAW_CONFIG: GeneralPurposeConfig = NO_PAD;

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("OTP string has incorrect length")]
pub struct OtpError;

/// Texts are the API's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeTokenError {
    #[error("provided 'encoded_token' or 'otp' is empty")]
    Empty,
    #[error("error decoding base64'd token: illegal base64 data at input byte {at}")]
    NotBase64 { at: usize },
    #[error("error xoring token: length of byte slices is not equivalent: {token} != {otp}")]
    UnequalLengths { token: usize, otp: usize },
}

/// An attempt in progress. Dropping it cancels.
#[derive(Debug)]
pub struct RootGeneration {
    round: ShareRound,
    /// `None` = the caller hides the token by other means.
    otp: Option<SecretText>,
}

impl RootGeneration {
    /// `required` is the threshold in force, `nonce` a fresh UUID, `otp` given by the caller or fresh (base62);
    /// `token_length` the bytes of the token to come.
    ///
    /// # Errors
    /// The password is not as long as the token, and could not hide all of it.
    pub fn start(required: u8, nonce: String, otp: SecretText, token_length: usize) -> Result<Self, OtpError> {
        if otp.len() != token_length {
            return Err(OtpError);
        }
        Ok(Self { round: ShareRound::new(Purpose::RootGeneration, required, nonce), otp: Some(otp) })
    }

    /// Without a password: the token is encrypted to a key of the initiator's. [`RootGeneration::finish`] refuses.
    pub fn for_key(required: u8, nonce: String) -> Self {
        Self { round: ShareRound::new(Purpose::RootGeneration, required, nonce), otp: None }
    }

    /// See [`ShareRound::duplicate`].
    #[must_use]
    pub fn duplicate(&self) -> Self {
        Self { round: self.round.duplicate(), otp: self.otp.as_ref().map(SecretText::duplicate) }
    }

    pub fn round(&self) -> &ShareRound {
        &self.round
    }

    /// When done the caller tries the key on the sealed root key: if it opens, a token is made and [`RootGeneration::finish`]
    /// encodes it; if not, the round is empty and goes on.
    ///
    /// # Errors
    /// See [`ShareRound::add`].
    pub fn add(&mut self, nonce: &str, share: Share) -> Result<RoundProgress, RoundError> {
        self.round.add(nonce, share)
    }

    /// The token under the password.
    ///
    /// # Errors
    /// The token has not the length said at the start.
    pub fn finish(self, token: &SecretText) -> Result<String, OtpError> {
        encode_token(token, self.otp.as_ref().ok_or(OtpError)?)
    }
}

/// Exclusive or of token and password, in base64 without padding.
///
/// # Errors
/// Unequal lengths.
pub fn encode_token(token: &SecretText, otp: &SecretText) -> Result<String, OtpError> {
    if token.len() != otp.len() {
        return Err(OtpError);
    }
    Ok(RAW.encode(xor(token.dangerous_expose().as_bytes(), otp.dangerous_expose().as_bytes())))
}

/// The way back. Without the right password the result is noise, not an error.
///
/// # Errors
/// Texts that cannot belong together.
pub fn decode_token(encoded: &str, otp: &SecretText) -> Result<SecretText, DecodeTokenError> {
    if encoded.is_empty() || otp.is_empty() {
        return Err(DecodeTokenError::Empty);
    }
    let masked = RAW.decode(encoded).map_err(|error| DecodeTokenError::NotBase64 { at: position(&error, encoded) })?;
    if masked.len() != otp.len() {
        return Err(DecodeTokenError::UnequalLengths { token: masked.len(), otp: otp.len() });
    }
    let token = xor(&masked, otp.dangerous_expose().as_bytes());
    let text = String::from_utf8(token).unwrap_or_else(|noise| String::from_utf8_lossy(noise.as_bytes()).into_owned());
    Ok(SecretText::new(text))
}

fn position(error: &DecodeError, encoded: &str) -> usize {
    match *error {
        DecodeError::InvalidByte(at, _) | DecodeError::InvalidLastSymbol(at, _) => at,
        DecodeError::InvalidLength(_) | DecodeError::InvalidPadding => encoded.len(),
    }
}

fn xor(left: &[u8], right: &[u8]) -> Vec<u8> {
    left.iter().zip(right).map(|(left, right)| left ^ right).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
    use super::*;
    use crate::config::SealConfig;
    use crate::keys::UnsealKey;

    fn text(text: &str) -> SecretText {
        SecretText::new(text.into())
    }

    #[test]
    fn the_password_is_as_long_as_the_token() {
        for (otp, fits) in
            [("short", false), (&"a".repeat(25), false), (&"a".repeat(26), true), (&"a".repeat(27), false)]
        {
            assert_eq!(RootGeneration::start(1, "n".into(), text(otp), 26).is_ok(), fits, "{otp}");
        }
        assert_eq!(OtpError.to_string(), "OTP string has incorrect length");
    }

    #[test]
    fn shares_give_a_token_only_the_password_opens() {
        let config = SealConfig::new(3, 2).unwrap();
        let key = UnsealKey::generate().unwrap();
        let mut shares = key.split(config).unwrap().into_iter();
        let (otp, token) = (text("abcdefghijklmnopqrstuvwxyz"), text("s.0123456789ABCDEFGHIJKLMN"));
        let mut attempt = RootGeneration::start(2, "n".into(), otp.duplicate(), 26).unwrap();
        assert!(matches!(attempt.add("n", shares.next().unwrap()), Ok(RoundProgress::More)));
        let Ok(RoundProgress::Done(found)) = attempt.add("n", shares.next().unwrap()) else { panic!() };
        assert!(found.ct_eq(&key));
        let encoded = attempt.finish(&token).unwrap();
        assert!(!encoded.contains('='));
        assert!(decode_token(&encoded, &otp).unwrap().ct_eq(&token));
        let other = text("zbcdefghijklmnopqrstuvwxyz");
        assert!(!decode_token(&encoded, &other).unwrap().ct_eq(&token));
    }

    #[test]
    fn encoding_worked_out_by_hand() {
        // 'a' ^ 'A' = 20, 'b' ^ 'B' = 20: base64 of 20 20 is "ICA".
        assert_eq!(encode_token(&text("ab"), &text("AB")).unwrap(), "ICA");
        assert_eq!(encode_token(&text("ab"), &text("A")), Err(OtpError));
    }

    /// Inputs and refusals as recorded from the reference.
    #[test]
    fn unfit_texts_are_refused_in_the_words_of_the_api() {
        for (encoded, otp, refusal) in [
            ("", "", "provided 'encoded_token' or 'otp' is empty"),
            ("AAAA", "", "provided 'encoded_token' or 'otp' is empty"),
            ("!!", "abc", "error decoding base64'd token: illegal base64 data at input byte 0"),
            ("AAAA", "abcd", "error xoring token: length of byte slices is not equivalent: 3 != 4"),
        ] {
            assert_eq!(decode_token(encoded, &text(otp)).unwrap_err().to_string(), refusal);
        }
        assert!(decode_token("////", &text("abc")).is_ok(), "noise is no error");
    }
}
