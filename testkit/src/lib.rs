//! bulla-testkit
