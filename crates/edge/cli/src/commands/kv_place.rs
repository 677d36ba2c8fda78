//! Where a key/value path is mounted and whether that store keeps versions; how an entry is headed.

use bulla_client::{Json, Request};

use super::tidy;
use crate::{context::Ctx, failure::Failure, output};

/// A path in a key/value store, resolved.
pub struct Place {
    pub mount: String,
    /// Below the mount.
    pub name: String,
    pub versioned: bool,
}

impl Place {
    /// The API path: with `area` (`data`, `metadata` …) inserted if the store keeps versions.
    pub fn at(&self, area: &str) -> String {
        let parts = if self.versioned {
            vec![self.mount.as_str(), area, &self.name]
        } else {
            vec![self.mount.as_str(), &self.name]
        };
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/")
    }

    /// What is left of a path behind the mount, if it is in this store.
    pub fn below<'a>(&self, path: &'a str) -> Option<&'a str> {
        let rest = path.strip_prefix(&self.mount)?;
        if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
    }

    /// The store must keep versions for `noun`.
    pub fn versioned_for(self, noun: &str) -> Result<Self, Failure> {
        if self.versioned { Ok(self) } else { Err(Failure::local(format!("{noun} not supported on KV Version 1"))) }
    }
}

/// Asks the server where the command's path is mounted.
pub fn place(ctx: &mut Ctx) -> Result<Place, Failure> {
    let path = tidy(ctx.arg(0)).to_owned();
    let given = ctx.flags.filled("mount").map(|mount| tidy(mount).to_owned());
    let (mount, versioned) = mount_of(ctx, given.as_deref().unwrap_or(&path))?;
    if let Some(given) = given {
        return Ok(Place { mount: given, name: path, versioned });
    }
    let (mount, name) = split_mount(&path, tidy(&mount));
    Ok(Place { mount, name, versioned })
}

fn mount_of(ctx: &mut Ctx, path: &str) -> Result<(String, bool), Failure> {
    let request = Request::get(&format!("sys/internal/ui/mounts/{path}"));
    let answer = match ctx.quietly(async |client| client.send(&request).await)? {
        Ok(answer) => answer,
        // A server without this question has version 1 only.
        Err(e) if e.status() == Some(404) => return Ok((String::new(), false)),
        Err(e) => return Err(Failure::of("", e)),
    };
    let secret = answer.secret().map_err(|e| Failure::of("", e))?.unwrap_or_default();
    let mount = secret.field("path").and_then(Json::as_str).unwrap_or_default().to_owned();
    let version = secret.field("options").and_then(|o| o.get("version")).and_then(Json::as_str);
    Ok((mount, version == Some("2")))
}

/// The mount as the path spells it and the rest. The server names the mount from the root namespace on, the path begins
/// in the caller's, so leading parts of the mount may be missing from the path.
fn split_mount(path: &str, mount: &str) -> (String, String) {
    let mut mount = mount;
    loop {
        if mount.is_empty() {
            return (String::new(), path.to_owned());
        }
        if path == mount {
            return (mount.to_owned(), String::new());
        }
        if let Some(name) = path.strip_prefix(mount).and_then(|rest| rest.strip_prefix('/')) {
            return (mount.to_owned(), name.to_owned());
        }
        mount = mount.split_once('/').map_or("", |(_, rest)| rest);
    }
}

/// The API path under a title, then an empty line.
pub fn show_path(ctx: &mut Ctx, title: &str, path: &str) {
    ctx.ui.say(&format!("{}\n{path}\n", output::titled(title, path.len())));
}

/// A table under a title as wide as the table's two columns.
pub fn show_titled(ctx: &mut Ctx, title: &str, data: &Json) {
    let longest = data.members().iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let width = longest + "    Value".len();
    ctx.ui.say(&output::titled(title, width));
    let rows = output::map_rows(data);
    if !rows.is_empty() {
        ctx.ui.say(&output::table(&["Key", "Value"], &rows));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mounts_are_found_in_paths() {
        for (path, mount, want) in [
            ("secret/a/b", "secret", ("secret", "a/b")),
            ("secret", "secret", ("secret", "")),
            ("secrets/a", "secret", ("", "secrets/a")),
            ("team/kv/a", "team/kv", ("team/kv", "a")),
            ("kv/a", "ns1/kv", ("kv", "a")),
            ("kv/a", "", ("", "kv/a")),
        ] {
            let (found, name) = split_mount(path, mount);
            assert_eq!((found.as_str(), name.as_str()), want, "{path} in {mount}");
        }
    }

    #[test]
    fn other_paths_are_in_the_store_or_not() {
        let place = Place { mount: "team/kv".into(), name: "a".into(), versioned: true };
        for (path, want) in
            [("team/kv/b/c", Some("b/c")), ("team/kv", Some("")), ("team/kvb", None), ("kv/b", None), ("b", None)]
        {
            assert_eq!(place.below(path), want, "{path}");
        }
    }

    #[test]
    fn areas_are_inserted_only_for_versions() {
        let mut place = Place { mount: "secret".into(), name: "a/b".into(), versioned: true };
        assert_eq!(place.at("data"), "secret/data/a/b");
        place.versioned = false;
        assert_eq!(place.at("data"), "secret/a/b");
        let root = Place { mount: "secret".into(), name: String::new(), versioned: true };
        assert_eq!(root.at("metadata"), "secret/metadata");
    }
}
