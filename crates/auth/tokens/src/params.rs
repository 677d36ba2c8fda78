//! What clients send: the shared fields by their present names, and by the older ones that some methods still know.

use bulla_kit::{CommaList, Flag, Params};
use bulla_types::Seconds;

/// The shared fields of a write; what is not sent stays as it is. Put into a method's own parameters by
/// `#[param(flatten)]`.
#[derive(Params, Debug, Default)]
pub struct TokenParams {
    /// Networks and addresses from which logins and the tokens they make are accepted; empty: from anywhere.
    pub token_bound_cidrs: Option<CommaList>,
    /// The token is good only at the address that logged in. Excludes `token_bound_cidrs`.
    pub token_strictly_bind_ip: Flag,
    /// Time after which the token ends for certain, whatever mount and renewals say; 0: none.
    pub token_explicit_max_ttl: Option<Seconds>,
    /// The longest time that renewals can give the token; 0: the mount's.
    pub token_max_ttl: Option<Seconds>,
    /// The policy `default` is not added.
    pub token_no_default_policy: Flag,
    /// How often the token can be used; 0: any number of times.
    pub token_num_uses: Option<i64>,
    /// Makes periodic tokens: each renewal gives this time anew, without a maximum; 0: not periodic.
    pub token_period: Option<Seconds>,
    /// The policies of the token.
    pub token_policies: Option<CommaList>,
    /// The token's first time to live; 0: the mount's.
    pub token_ttl: Option<Seconds>,
    /// Kind of token: `service`, `batch`, or `default` for what the mount is tuned to.
    pub token_type: Option<String>,
}

/// The same by the names they had before all methods shared them. A method fills in those that it knows.
#[derive(Debug, Default)]
pub struct OldNames {
    pub policies: Option<CommaList>,
    pub ttl: Option<Seconds>,
    pub max_ttl: Option<Seconds>,
    pub period: Option<Seconds>,
    pub bound_cidrs: Option<CommaList>,
    pub num_uses: Option<i64>,
}
