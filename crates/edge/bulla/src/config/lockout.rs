//! `user_lockout "all" { … }`: when failed logins lock a name out, for all auth methods or for one type.

use super::top::{Place, nanos};
use super::{Config, ConfigError};
use bulla_core::UserLockout;
use bulla_hcl::{Block, Object};
use bulla_types::Seconds;

const TYPES: [&str; 4] = ["all", "userpass", "ldap", "approle"];
const KEYS: [&str; 4] = ["lockout_threshold", "lockout_duration", "lockout_counter_reset", "disable_lockout"];

pub(super) fn apply(config: &mut Config, place: Place<'_>, body: &Object) -> Result<(), ConfigError> {
    for block in body.blocks("user_lockout", 1).map_err(|e| place.wrong(&e))? {
        let kind = block.labels.concat();
        if !TYPES.contains(&kind.as_str()) {
            let problem = format!("`user_lockout` is for {}, not `{kind}`", TYPES.join(", "));
            return Err(place.at(block.pos.line, problem));
        }
        let lockout = parse(place, &block)?;
        for item in block.body.items.iter().filter(|item| !KEYS.contains(&item.name())) {
            config.warnings.push(place.unknown(item, " of `user_lockout`"));
        }
        config.user_lockout.by_type.insert(kind, lockout);
    }
    Ok(())
}

fn parse(place: Place<'_>, block: &Block<'_>) -> Result<UserLockout, ConfigError> {
    let seconds = |name: &str| match block.body.value(name) {
        Some(value) => Ok(Seconds::of_nanos(nanos(place, name, value)?.into()).unwrap_or_default()),
        None => Ok(Seconds::ZERO),
    };
    let threshold = match block.body.value("lockout_threshold") {
        None => 0,
        Some(value) => {
            let number = value.text().and_then(|text| text.parse().ok());
            number.ok_or_else(|| place.at(value.pos.line, "`lockout_threshold` must be a number"))?
        }
    };
    let disabled = block.body.boolean("disable_lockout").map_err(|e| place.wrong(&e))?.unwrap_or(false);
    Ok(UserLockout {
        threshold,
        duration: seconds("lockout_duration")?,
        counter_reset: seconds("lockout_counter_reset")?,
        disabled,
    })
}
