//! bulla-seal
