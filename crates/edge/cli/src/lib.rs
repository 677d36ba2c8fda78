//! bulla-cli
