//! bulla-client
