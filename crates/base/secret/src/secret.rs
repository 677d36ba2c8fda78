//! Secrets on the heap: erased on drop, never cloned or printed by accident.

use crate::compare::ct_eq;
use std::fmt;
use zeroize::Zeroize;

/// A value that is erased when dropped. No `Clone`, no `Serialize`, no `Display`; `Debug` says what it is.
///
/// The value lives on the heap, so moving the `Secret` copies a pointer only. `new` itself moves the value once: where
/// even that copy on the stack matters, begin with [`Secret::build`].
pub struct Secret<T: Zeroize>(Box<T>);

impl<T: Zeroize> Secret<T> {
    pub fn new(value: T) -> Self {
        Self(Box::new(value))
    }

    /// Starts from the (empty) default and lets `fill` write the secret in its place on the heap.
    pub fn build(fill: impl FnOnce(&mut T)) -> Self
    where
        T: Default,
    {
        let mut secret = Self(Box::default());
        fill(&mut secret.0);
        secret
    }

    /// Shows the value to `look`; keep what happens in there short.
    pub fn expose<R>(&self, look: impl FnOnce(&T) -> R) -> R {
        look(&self.0)
    }

    pub fn with_mut<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        change(&mut self.0)
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Secret bytes of a length fixed at birth, so that no growth leaves copies behind.
// INVARIANT: the vector is never grown or shrunk; dropping erases its whole capacity.
pub struct SecretBytes(Vec<u8>);

impl SecretBytes {
    pub fn zeroed(len: usize) -> Self {
        Self(vec![0; len])
    }

    /// A copy of borrowed bytes; erasing the original stays with its owner.
    pub fn copy_of(bytes: &[u8]) -> Self {
        Self(bytes.to_vec())
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn expose<R>(&self, look: impl FnOnce(&[u8]) -> R) -> R {
        look(&self.0)
    }

    pub fn with_mut<R>(&mut self, change: impl FnOnce(&mut [u8]) -> R) -> R {
        change(&mut self.0)
    }

    /// Constant time for equal lengths.
    pub fn ct_eq(&self, other: &Self) -> bool {
        ct_eq(&self.0, &other.0)
    }
}

/// Takes the bytes over where they are: nothing is copied, spare capacity is erased with the rest.
impl From<Vec<u8>> for SecretBytes {
    fn from(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }
}

impl Drop for SecretBytes {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretBytes({} bytes)", self.0.len())
    }
}

/// Secret text: a token, a share as it was typed, a password.
// INVARIANT: as for `SecretBytes`.
pub struct SecretText(String);

impl SecretText {
    /// Takes the text over where it is, without a copy.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    pub fn len(&self) -> usize {
        self.0.len()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The text itself. Never into a log, an error or a format string.
    pub fn dangerous_expose(&self) -> &str {
        &self.0
    }

    /// A second one, on purpose.
    pub fn duplicate(&self) -> Self {
        Self(self.0.clone())
    }

    /// Constant time for equal lengths.
    pub fn ct_eq(&self, other: &Self) -> bool {
        ct_eq(self.0.as_bytes(), other.0.as_bytes())
    }
}

impl From<String> for SecretText {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl Drop for SecretText {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretText({} bytes)", self.0.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;
    use std::rc::Rc;

    #[derive(Default)]
    struct Witness(Rc<Cell<u32>>);
    impl Zeroize for Witness {
        fn zeroize(&mut self) {
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn dropping_erases_once() {
        let count = Rc::new(Cell::new(0));
        drop(Secret::new(Witness(Rc::clone(&count))));
        assert_eq!(count.get(), 1);
    }

    #[test]
    fn built_in_place_and_changed_in_place() {
        let mut secret = Secret::<[u8; 4]>::build(|bytes| bytes.copy_from_slice(b"abcd"));
        secret.with_mut(|bytes| bytes[0] = b'x');
        assert!(secret.expose(|bytes| bytes == b"xbcd"));
    }

    #[test]
    fn debug_shows_no_content() {
        let shown = format!(
            "{:?} {:?} {:?}",
            Secret::new(*b"canary"),
            SecretBytes::copy_of(b"canary"),
            SecretText::new("canary".into())
        );
        assert_eq!(shown, "Secret SecretBytes(6 bytes) SecretText(6 bytes)");
    }

    #[test]
    fn taking_over_a_vector_keeps_its_block() {
        let mut bytes = Vec::with_capacity(100);
        bytes.extend_from_slice(b"share");
        let block = bytes.as_ptr();
        assert_eq!(SecretBytes::from(bytes).expose(<[u8]>::as_ptr), block);
        let text = String::from("token");
        let block = text.as_ptr();
        assert_eq!(SecretText::new(text).dangerous_expose().as_ptr(), block);
    }

    #[test]
    fn equality_is_by_content() {
        assert!(SecretText::new("a".into()).ct_eq(&SecretText::new("a".into())));
        assert!(!SecretText::new("a".into()).ct_eq(&SecretText::new("b".into())));
        assert!(!SecretBytes::zeroed(1).ct_eq(&SecretBytes::zeroed(2)));
        assert!(SecretBytes::zeroed(2).ct_eq(&SecretBytes::copy_of(&[0, 0])));
        assert!(SecretText::new("a".into()).duplicate().ct_eq(&SecretText::new("a".into())));
    }
}
