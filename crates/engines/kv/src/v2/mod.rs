//! The versioned engine: routes, and what it says to paths of the unversioned style.
//!
//! ```text
//! data       read, write, patch, soft delete of the newest version
//! versions   delete, undelete, destroy by number
//! metadata   settings and custom pairs of a secret, lists and scans
//! transfer   copy and move to another path
//! config     settings of the mount          records  stored forms          secret  a secret's records in a transaction
//! ```

mod config;
mod custom;
mod data;
mod metadata;
mod records;
mod secret;
mod transfer;
mod upgrade;
mod versions;

use crate::params::{PathOnly, secret_path};
use bulla_kit::{
    Answer, BoxFuture, Ctx, Engine, EngineError, EngineKind, Input, MountSettings, Reply, Route, Routes, Setup, View,
};
use bulla_types::{Operation, Time};

pub struct KvV2 {
    routes: Routes<Ctx>,
}

impl KvV2 {
    pub fn new() -> Self {
        Self { routes: Routes::new(routes()) }
    }
}

impl Engine for KvV2 {
    fn kind(&self) -> EngineKind {
        EngineKind::Secrets
    }

    fn routes(&self) -> &Routes<Ctx> {
        &self.routes
    }

    fn only_reads_on_read(&self) -> bool {
        true
    }

    fn help(&self) -> &'static str {
        "The key-value engine keeps several versions of an object a path, with settings and notes beside each."
    }

    fn unmatched(&self, input: &Input) -> Answer {
        if ROOTS.contains(&input.path.trim_end_matches('/')) {
            Ok(root_refused())
        } else {
            Ok(unversioned_style(input.operation))
        }
    }

    fn setup<'a>(
        &'a self,
        view: &'a View,
        _: &'a MountSettings,
        now: Time,
    ) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(upgrade::begin(view, now))
    }

    fn go_on_setup<'a>(&'a self, view: &'a View, now: Time) -> BoxFuture<'a, Result<Setup, EngineError>> {
        Box::pin(upgrade::step(view, now))
    }
}

const ROOTS: [&str; 5] = ["data", "metadata", "delete", "undelete", "destroy"];

fn routes() -> Vec<Route<Ctx>> {
    vec![
        config_route(),
        root("data"),
        root("delete"),
        root("undelete"),
        root("destroy"),
        copy_route(),
        move_route(),
        root("metadata").list(metadata::list).scan(metadata::scan),
        data_route(),
        by_number("delete/{path..?}", "Marks versions of a secret as deleted.").update(versions::delete),
        by_number("undelete/{path..?}", "Takes the mark of deletion off versions of a secret.")
            .update(versions::undelete),
        by_number("destroy/{path..?}", "Removes versions of a secret for good.").update(versions::destroy),
        metadata_route(),
        Route::token("detailed-metadata/{path..?}")
            .help(
                "Lists secrets together with their metadata.",
                "As a list of `metadata/`, with `key_info` beside the names.",
            )
            .list(metadata::detailed_list)
            .scan(metadata::detailed_scan),
        Route::token("subkeys/{path..}")
            .help(
                "Shows the names inside a secret without the values.",
                "Every value is null; `depth` limits the levels shown.",
            )
            .read(data::subkeys),
    ]
}

fn config_route() -> Route<Ctx> {
    Route::token("config")
        .help("Settings of this mount.", "They hold for every secret, together with the settings of its own metadata.")
        .read(config::read)
        .update(config::update)
}

fn data_route() -> Route<Ctx> {
    Route::token("data/{path..?}")
        .help(
            "Reads and writes versions of a secret.",
            "A write makes a new version; a patch merges into the newest one (RFC 7396); a delete marks the newest one.",
        )
        .exists(metadata_exists)
        .read(data::read)
        .update(data::write)
        .patch(data::patch)
        .delete(data::delete)
}

fn metadata_route() -> Route<Ctx> {
    Route::token("metadata/{path..?}")
        .help(
            "Settings and notes of a secret, and the list of its versions.",
            "Deleting the metadata removes the secret with all its versions.",
        )
        .exists(metadata_exists)
        .read(metadata::read)
        .update(metadata::write)
        .patch(metadata::patch)
        .delete(metadata::delete)
        .list(metadata::list)
        .scan(metadata::scan)
}

fn copy_route() -> Route<Ctx> {
    let route = Route::token("copy/{path..}").help(
        "Copies a secret with all its versions.",
        "Settings, notes, states and times are kept. Needs `create` on the target's path below `data/` besides.",
    );
    as_unversioned(route.update(transfer::copy))
}

fn move_route() -> Route<Ctx> {
    let route = Route::token("move/{path..}").help(
        "Moves a secret with all its versions.",
        "As `copy/`, and nothing is left behind. Needs `create` on the target's path below `data/` besides.",
    );
    as_unversioned(route.update(transfer::relocate))
}

/// Whoever mistakes the mount for an unversioned one may have secrets of such a name; the answer to all but a write is
/// the usual one.
fn as_unversioned(route: Route<Ctx>) -> Route<Ctx> {
    let refuse = |_: Ctx, input: Input| std::future::ready(Ok(unversioned_style(input.operation)));
    route.read(refuse).patch(refuse).delete(refuse).list(refuse).scan(refuse)
}

fn by_number(pattern: &'static str, synopsis: &'static str) -> Route<Ctx> {
    Route::token(pattern).help(synopsis, "`versions` lists the numbers; those that do not exist are skipped.")
}

/// A sub-tree's own path: no secret can be there.
fn root(pattern: &'static str) -> Route<Ctx> {
    // Takes whatever is sent: nothing in it is worth a warning of its own.
    let refuse = |_: Ctx, _: Input| std::future::ready(Ok(root_refused()));
    Route::token(pattern)
        .help("The root of a sub-tree.", "Secrets are below it; `metadata` can be listed.")
        .read(refuse)
        .update(refuse)
        .patch(refuse)
        .delete(refuse)
}

async fn metadata_exists(view: View, at: PathOnly) -> Result<bool, EngineError> {
    match secret_path(&at.path) {
        Some(path) => secret::exists(&view, path).await,
        None => Ok(false),
    }
}

/// The answer to a patch of what is not there: 404 without a body, which clients tell from one that names a version.
fn nothing_to_patch() -> Reply {
    let mut reply = Reply::raw("application/json", Vec::new());
    if let Some(raw) = &mut reply.raw {
        raw.status = Some(404);
    }
    reply
}

fn root_refused() -> Reply {
    Reply::empty().warn("Non-listing operations on the root of a K/V v2 mount are not supported.").as_not_found()
}

fn unversioned_style(operation: Operation) -> Reply {
    let command = match operation {
        Operation::Create | Operation::Update => "put",
        Operation::Patch => "patch",
        Operation::Delete => "delete",
        Operation::List | Operation::Scan => "list",
        Operation::Read | Operation::Help => "get",
    };
    Reply::empty()
        .warn(format!(
            "Invalid path for a versioned K/V secrets engine. See the API docs for the appropriate API endpoints to use. \
             If using the Bulla CLI, use 'bulla kv {command}' for this operation."
        ))
        .as_not_found()
}
