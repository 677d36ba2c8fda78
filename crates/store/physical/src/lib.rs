//! bulla-physical
