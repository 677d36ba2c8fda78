//! bulla-wire
