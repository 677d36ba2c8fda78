//! bulla-hcl
