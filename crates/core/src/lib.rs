//! bulla-core
