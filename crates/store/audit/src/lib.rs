//! bulla-audit
