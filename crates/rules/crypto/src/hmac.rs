//! HMAC-SHA-256 (RFC 2104, RFC 4231), keyed once and used often.

use aws_lc_rs::hmac;
use bulla_secret::scrub_stack;
use std::fmt;

/// Bytes of a tag.
const LEN: usize = 32;

/// A key whose padding has been hashed in already: a short message costs two block hashes.
///
/// The keyed state lies on the heap and is erased on drop. The library copies it to the stack for each message; the seal
/// scrubs the stacks of its threads for that reason.
pub struct HmacKey(Box<hmac::Key>);

impl HmacKey {
    /// Any length; 32 random bytes are enough (RFC 2104, section 3).
    pub fn new(key: &[u8]) -> Self {
        let this = keyed(key);
        // The library hands the keyed state over by value, through frames that are dead by now.
        scrub_stack();
        this
    }

    pub fn sign(&self, message: &[u8]) -> [u8; LEN] {
        bytes(&hmac::sign(&self.0, message))
    }

    /// The tag of all parts in a row. Parts are not told apart: separate them where their lengths vary.
    pub fn sign_parts(&self, parts: &[&[u8]]) -> [u8; LEN] {
        let mut stream = self.stream();
        for part in parts {
            stream.update(part);
        }
        stream.finish()
    }

    /// For a message that comes piece by piece.
    pub fn stream(&self) -> HmacStream {
        HmacStream(hmac::Context::with_key(&self.0))
    }
}

#[inline(never)]
fn keyed(key: &[u8]) -> HmacKey {
    HmacKey(Box::new(hmac::Key::new(hmac::HMAC_SHA256, key)))
}

fn bytes(tag: &hmac::Tag) -> [u8; LEN] {
    let mut out = [0; LEN];
    out.copy_from_slice(tag.as_ref());
    out
}

impl fmt::Debug for HmacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HmacKey(SHA-256)")
    }
}

/// A message on its way.
pub struct HmacStream(hmac::Context);

impl HmacStream {
    pub fn update(&mut self, piece: &[u8]) {
        self.0.update(piece);
    }

    pub fn finish(self) -> [u8; LEN] {
        bytes(&self.0.sign())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, cases 1, 2 and 6.
    #[test]
    fn published_vectors() {
        for (key, message, tag) in [
            (&[0x0b; 20][..], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe",
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                &[0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            let key = HmacKey::new(key);
            assert_eq!(hex::encode(key.sign(message.as_bytes())), tag);
            assert_eq!(hex::encode(key.sign(message.as_bytes())), tag, "used again");
            let (left, right) = message.as_bytes().split_at(3);
            assert_eq!(hex::encode(key.sign_parts(&[left, b"", right])), tag);
        }
    }
}
