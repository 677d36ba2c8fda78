//! bulla-secret
