//! bulla-lease
