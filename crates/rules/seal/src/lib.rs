//! The seal: which keys there are, how they are kept, and how shares come together. Rules only: no I/O, no clock.
//!
//! ```text
//! Share .. Share --Unsealing--> UnsealKey --open_root_key--> RootKey --open_keyring--> Keyring
//!                                                                                      terms -> data keys
//!                                                                                      names key, hashing key
//! Share .. Share --ShareRound--> UnsealKey     Rekey (new shares), RootGeneration (a new root token)
//! ```
//! Not here: where the sealed keys are stored and what they encrypt (`store/barrier`), who may ask (`core`), status codes
//! (`edge/http`). Share arithmetic and ciphers are next door in `rules/crypto`.

mod cancel;
mod config;
mod error;
mod frame;
mod keyring;
mod keys;
mod rekey;
mod root_generation;
mod round;
mod share;
mod unseal;

pub use cancel::{Asker, CancelRefused, PROTECTED_FOR};
pub use config::{SealConfig, SealConfigError};
pub use error::{SealError, WRONG_KEY};
pub use frame::{open_keyring, open_root_key, seal_keyring, seal_root_key};
pub use keyring::{Keyring, ROTATE_AFTER};
pub use keys::{RootKey, UnsealKey};
pub use rekey::{Finished, Rekey, Verification, Verified};
pub use root_generation::{DecodeTokenError, OtpError, RootGeneration, decode_token, encode_token};
pub use round::{Purpose, RoundError, RoundProgress, ShareRound};
pub use share::{MAX_SHARE, MIN_SHARE, Share, ShareTextError};
pub use unseal::{Progress, UnsealFailed, Unsealing};
