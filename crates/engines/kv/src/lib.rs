//! bulla-kv
