//! `lease lookup`, `renew`, `revoke`.

use bulla_client::{Json, Request};

use super::tidy;
use crate::{
    command::{Command, Kind, Run},
    context::Ctx,
    failure::{Done, Failure},
    flags::Flag,
};

pub static COMMANDS: &[Command] = &[
    Command {
        name: "lease lookup",
        args: "ID",
        about: "Show a lease's properties",
        help: "",
        words: (1, 1),
        flags: &[],
        kind: Kind::Field,
        run: Run::Here(lookup),
    },
    Command {
        name: "lease renew",
        args: "ID",
        about: "Extend a lease",
        help: "",
        words: (1, 1),
        flags: &[Flag::duration("increment", "How long it should last from now; the server may give less.").alias("i")],
        kind: Kind::Field,
        run: Run::Here(renew),
    },
    Command {
        name: "lease revoke",
        args: "ID",
        about: "Revoke a lease, or all below a prefix",
        help: "",
        words: (1, 1),
        flags: &[
            Flag::switch("prefix", "The word is the beginning of the ids to revoke."),
            Flag::switch("force", "Forget the leases even if their secrets cannot be revoked; needs -prefix.")
                .alias("f"),
            Flag::switch("sync", "Return when all is done."),
        ],
        kind: Kind::Http,
        run: Run::Here(revoke),
    },
];

fn lookup(ctx: &mut Ctx) -> Done {
    let id = ctx.arg(0).to_owned();
    let request = Request::put("sys/leases/lookup", &Json::object([("lease_id", Json::text(&id))]));
    match ctx.write(&format!("error looking up lease id {id}"), request)? {
        Some(secret) => ctx.show(&secret),
        None => Err(Failure::remote(format!("no such lease {id}"))),
    }
}

fn renew(ctx: &mut Ctx) -> Done {
    let id = ctx.arg(0).to_owned();
    let seconds = ctx.flags.duration("increment").unwrap_or_default() / 1_000_000_000;
    let body = Json::object([("lease_id", Json::text(&id)), ("increment", Json::int(seconds))]);
    match ctx.write(&format!("Error renewing {id}"), Request::put("sys/leases/renew", &body))? {
        Some(secret) => ctx.show(&secret),
        None => Err(Failure::remote(format!("no such lease {id}"))),
    }
}

fn revoke(ctx: &mut Ctx) -> Done {
    // A slash at the end is what one types for a prefix, and what the API refuses.
    let id = tidy(ctx.arg(0)).to_owned();
    let (prefix, force, sync) = (ctx.flags.on("prefix"), ctx.flags.on("force"), ctx.flags.on("sync"));
    let body = Json::object([("sync", Json::Bool(sync))]);
    let (request, what) = match (force, prefix) {
        (true, false) => return Err(Failure::local("Specifying -force requires also specifying -prefix")),
        (true, true) => (
            Request::put(&format!("sys/leases/revoke-force/{id}"), &Json::Object(Vec::new())),
            format!("Error force revoking leases with prefix {id}"),
        ),
        (false, true) => (
            Request::put(&format!("sys/leases/revoke-prefix/{id}"), &body),
            format!("Error revoking leases with prefix {id}"),
        ),
        (false, false) => {
            let mut body = body;
            body.set("lease_id", Json::text(&id));
            (Request::put("sys/leases/revoke", &body), format!("Error revoking lease {id}"))
        }
    };
    if force {
        ctx.ui.warn("Warning! Forgetting leases leaves secrets alive that nobody will revoke.");
    }
    ctx.send(&what, request)?;
    ctx.ui.say(if force {
        "Success! Force revoked any leases with the prefix"
    } else if sync {
        "All revocation operations completed successfully!"
    } else {
        "All revocation operations queued successfully!"
    });
    Ok(0)
}
