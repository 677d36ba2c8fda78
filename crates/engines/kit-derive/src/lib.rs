//! bulla-kit-derive
