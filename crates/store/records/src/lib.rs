//! bulla-records
