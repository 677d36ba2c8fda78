//! bulla-policy
