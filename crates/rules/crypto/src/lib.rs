//! bulla-crypto
