//! bulla-kit
