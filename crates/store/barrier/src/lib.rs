//! bulla-barrier
