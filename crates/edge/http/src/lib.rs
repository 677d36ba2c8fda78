//! bulla-http
