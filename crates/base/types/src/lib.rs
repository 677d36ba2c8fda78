//! bulla-types
