//! `operator key-status`, `rotate`: the key that encrypts what is stored.

use bulla_client::{Json, Method, Request, Secret};

use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::Done,
    output,
};

const fn command(name: &'static str, about: &'static str, run: fn(&mut Ctx) -> Done) -> Command {
    Command { name, args: "", about, help: "", words: (0, 0), flags: &[], kind: Kind::Format, run: Run::Here(run) }
}

pub static COMMANDS: &[Command] = &[
    command("operator key-status", "Show the term of the encryption key", key_status),
    command("operator rotate", "Begin a new term: a new encryption key for what is stored from now on", rotate),
];

fn key_status(ctx: &mut Ctx) -> Done {
    let secret = status(ctx)?;
    if ctx.is_table() {
        let text = columns(&secret);
        ctx.ui.say(&text);
        return Ok(0);
    }
    ctx.show_json(&in_order(&secret))
}

fn rotate(ctx: &mut Ctx) -> Done {
    ctx.send("Error rotating key", Request::new(Method::Post, "sys/rotate"))?;
    let secret = status(ctx)?;
    if ctx.is_table() {
        let text = columns(&secret);
        ctx.ui.say(&format!("Success! Rotated key\n\n{text}"));
        return Ok(0);
    }
    ctx.show_json(&in_order(&secret))
}

fn status(ctx: &mut Ctx) -> Result<Secret, crate::failure::Failure> {
    Ok(ctx.read("Error reading key status", Request::get("sys/key-status"))?.unwrap_or_default())
}

fn in_order(secret: &Secret) -> Json {
    Json::object(
        ["term", "install_time", "encryptions"].map(|name| (name, secret.field(name).cloned().unwrap_or_default())),
    )
}

fn columns(secret: &Secret) -> String {
    let text = |name: &str| secret.field(name).map(output::display).unwrap_or_default();
    let rows = [
        ["Key Term".to_owned(), text("term")],
        ["Install Time".to_owned(), rfc822(&text("install_time"))],
        ["Encryption Count".to_owned(), text("encryptions")],
    ];
    output::columns(&rows)
}

/// `24 Nov 26 16:16 UTC` of an RFC 3339 time in UTC; other texts as they are.
fn rfc822(time: &str) -> String {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let parts = || {
        let month: usize = time.get(5..7)?.parse().ok()?;
        let name = MONTHS.get(month.checked_sub(1)?)?;
        Some(format!("{} {name} {} {} UTC", time.get(8..10)?, time.get(2..4)?, time.get(11..16)?))
    };
    parts().filter(|_| time.ends_with('Z')).unwrap_or_else(|| time.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times() {
        assert_eq!(rfc822("2026-11-24T16:16:42.123Z"), "24 Nov 26 16:16 UTC");
        assert_eq!(rfc822("soon"), "soon");
        assert_eq!(rfc822("2026-13-24T16:16:42Z"), "2026-13-24T16:16:42Z");
    }
}
