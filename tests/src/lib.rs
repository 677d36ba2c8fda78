//! bulla-tests
