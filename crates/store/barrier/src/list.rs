//! Listing: names are encrypted, so their order on disk is no order; a folder's names are opened, then sorted.
//!
//! A listing seeks from child to child and skips what lies below each, so it costs the number of children, not of
//! descendants. With a page limit memory is bounded: by the page, or for a large folder by the window of names that is
//! held for the pages to come (`folders`).

use crate::error::BarrierError;
use crate::folders::{Growth, WINDOW, Window, cost};
use crate::key::{after_prefix, hex};
use crate::txn::Txn;
use crate::view::Page;
use std::collections::BTreeSet;

/// Keys fetched from the store at a time.
const CHUNK: usize = if cfg!(test) { 4 } else { 512 };
/// From so many children on a folder is a large one.
const LARGE: usize = if cfg!(test) { 6 } else { 2048 };

/// One child's sealed segment as found in a key below `prefix`.
pub(crate) struct Found<'a> {
    pub(crate) sealed: &'a [u8],
    /// Offset in the key where the segment ends.
    pub(crate) end: usize,
    pub(crate) is_folder: bool,
}

pub(crate) fn split<'a>(key: &'a [u8], prefix: &[u8]) -> Option<Found<'a>> {
    let rest = key.get(prefix.len()..)?;
    let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
    let sealed = rest.get(2..2 + length)?;
    Some(Found { sealed, end: prefix.len() + 2 + length, is_folder: rest.len() > 2 + length })
}

pub(crate) async fn children(txn: &Txn, prefix: &[u8], page: &Page) -> Result<Vec<String>, BarrierError> {
    let end = after_prefix(prefix);
    txn.remember_range(prefix, &end);
    // A key equal to the prefix is the folder's own leaf, not a child: start after it.
    let mut cursor = [prefix, &[0]].concat();
    let own = txn.own_range(&cursor, &end);
    // What the transaction itself has written is in no other's listing.
    let shared = own.is_empty();
    if shared && let Some(names) = txn.barrier().folders().page(prefix, txn.seq(), page) {
        return Ok(names);
    }
    let mut names = Names::of(txn, prefix, page, shared);
    loop {
        let keys = txn.stored_keys(&cursor, &end, CHUNK).await?;
        let full = keys.len() == CHUNK;
        let mut skip_to: Option<Vec<u8>> = None;
        for key in &keys {
            if skip_to.as_ref().is_some_and(|to| key < to) {
                continue;
            }
            let deleted = matches!(own.get(key), Some(None));
            let Some(found) = split(key, prefix) else { continue };
            if !deleted {
                names.add(&found);
            }
            // Below a deleted descendant another may still live: skip a subtree only once it is known to have one.
            if found.is_folder && !deleted {
                skip_to = Some(after_prefix(&key[..found.end]));
            }
        }
        let (true, Some(last)) = (full, keys.last()) else { break };
        cursor = match skip_to {
            Some(to) if to > *last => to,
            _ => [last.as_slice(), &[0]].concat(),
        };
        // Local stores are always ready: without this a large folder would keep all others waiting.
        tokio::task::yield_now().await;
    }
    for (key, value) in &own {
        if let (Some(_), Some(found)) = (value, split(key, prefix)) {
            names.add(&found);
        }
    }
    Ok(names.finish())
}

/// The names found so far, sorted: as many as the page wants, more while the folder is small or will be held.
struct Names<'a> {
    txn: &'a Txn,
    prefix: &'a [u8],
    page: &'a Page,
    /// Behind the page's beginning.
    kept: BTreeSet<String>,
    /// Up to there; `None` = given up, there are too many.
    before: Option<BTreeSet<String>>,
    bytes: usize,
    /// Some of the last ones were dropped.
    cut: bool,
    found: usize,
    room: Room<'a>,
}

enum Room<'a> {
    /// Not known yet whether the folder is a large one.
    Small,
    /// Held when it is complete.
    Window(Growth<'a>),
    Page,
}

impl<'a> Names<'a> {
    fn of(txn: &'a Txn, prefix: &'a [u8], page: &'a Page, shared: bool) -> Self {
        // Whoever wants all names has to have them all anyhow.
        let room = if shared && page.limit.is_some() { Room::Small } else { Room::Page };
        let before = matches!(room, Room::Small).then(BTreeSet::new);
        Self { txn, prefix, page, kept: BTreeSet::new(), before, bytes: 0, cut: false, found: 0, room }
    }

    fn add(&mut self, found: &Found<'_>) {
        let Some(mut name) = self.txn.barrier().open_segment(self.prefix, found.sealed) else {
            tracing::error!(key = hex(found.sealed), "a name does not open and is left out of the listing");
            return;
        };
        if found.is_folder {
            name.push('/');
        }
        let bytes = cost(&name);
        let is_new = if self.page.after.as_ref().is_some_and(|after| name.as_str() <= after.as_str()) {
            self.before.as_mut().is_some_and(|before| before.insert(name))
        } else {
            self.kept.insert(name)
        };
        if is_new {
            self.bytes += bytes;
            self.found += 1;
            self.stay_within();
        }
    }

    fn stay_within(&mut self) {
        if matches!(self.room, Room::Small) && self.found >= LARGE {
            self.room = match self.txn.barrier().folders().begin(self.prefix, self.txn.seq()) {
                Some(growth) => Room::Window(growth),
                None => Room::Page,
            };
        }
        let window = match self.room {
            Room::Small => return,
            Room::Window(_) => WINDOW,
            Room::Page => 0,
        };
        if self.bytes > window
            && let Some(before) = self.before.take()
        {
            self.bytes -= before.iter().map(|name| cost(name)).sum::<usize>();
        }
        let limit = self.page.limit.unwrap_or(usize::MAX);
        while self.bytes > window && self.kept.len() > limit {
            let Some(last) = self.kept.pop_last() else { return };
            self.bytes -= cost(&last);
            self.cut = true;
        }
    }

    fn finish(mut self) -> Vec<String> {
        let limit = self.page.limit.unwrap_or(usize::MAX);
        let Room::Window(growth) = self.room else { return self.kept.into_iter().take(limit).collect() };
        let page: Vec<String> = self.kept.iter().take(limit).cloned().collect();
        let upto = match (self.cut, self.kept.last()) {
            (false, _) => None,
            (true, Some(last)) => Some(last.clone()),
            (true, None) => return page,
        };
        let after = if self.before.is_some() { None } else { self.page.after.clone() };
        self.kept.append(&mut self.before.unwrap_or_default());
        growth.finish(Window { names: self.kept, after, upto, bytes: self.bytes, changed: self.txn.seq() });
        page
    }
}

pub(crate) async fn descendants(txn: &Txn, prefix: &[u8], limit: usize) -> Result<Vec<String>, BarrierError> {
    let end = after_prefix(prefix);
    txn.remember_range(prefix, &end);
    let start = [prefix, &[0]].concat();
    let own = txn.own_range(&start, &end);
    let mut names = Vec::new();
    let mut cursor = start;
    loop {
        let keys = txn.stored_keys(&cursor, &end, CHUNK).await?;
        for key in &keys {
            if !own.contains_key(key) && names.len() < limit {
                names.extend(full_name(txn, prefix, key));
            }
        }
        let Some(last) = keys.last().filter(|_| keys.len() == CHUNK && names.len() < limit) else { break };
        cursor = [last.as_slice(), &[0]].concat();
    }
    for key in own.iter().filter(|(_, value)| value.is_some()).map(|(key, _)| key) {
        if names.len() < limit {
            names.extend(full_name(txn, prefix, key));
        }
    }
    names.sort_unstable();
    Ok(names)
}

/// Names at any depth below `prefix` in the order of their physical keys, from behind `after` on; the second answer is
/// where to go on, `None` = that was all. Not seen: what the transaction itself has put.
pub(crate) async fn walk(
    txn: &Txn,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<(Vec<String>, Option<Vec<u8>>), BarrierError> {
    let end = after_prefix(prefix);
    let first = [prefix, &[0]].concat();
    // A place that is not below the folder is nobody's; the walk begins anew.
    let start = match after.filter(|after| after.starts_with(prefix)) {
        Some(after) => [after, &[0]].concat(),
        None => first,
    };
    let keys = txn.stored_keys(&start, &end, limit).await?;
    let own = txn.own_range(&start, &end);
    let kept = keys.iter().filter(|key| !matches!(own.get(*key), Some(None)));
    let names = kept.filter_map(|key| full_name(txn, prefix, key)).collect();
    Ok((names, keys.last().filter(|_| keys.len() >= limit).cloned()))
}

/// Opens every segment of `key` below `prefix`.
fn full_name(txn: &Txn, prefix: &[u8], key: &[u8]) -> Option<String> {
    let mut at = prefix.len();
    let mut name = String::new();
    while at < key.len() {
        let found = split(key, &key[..at])?;
        let Some(segment) = txn.barrier().open_segment(&key[..at], found.sealed) else {
            tracing::error!(key = hex(key), "a name does not open and is left out of the listing");
            return None;
        };
        // Not by whether the name is empty yet: a first segment may be.
        if at > prefix.len() {
            name.push('/');
        }
        name.push_str(&segment);
        at = found.end;
    }
    Some(name)
}

pub(crate) async fn clear(txn: &Txn, prefix: &[u8], limit: usize) -> Result<bool, BarrierError> {
    clear_range(txn, prefix, &after_prefix(prefix), limit).await
}

/// Deletes up to `limit` records below `prefix`, from behind `after` on; answers where to go on, `None` = nothing is left.
pub(crate) async fn clear_on(
    txn: &Txn,
    prefix: &[u8],
    after: Option<&[u8]>,
    limit: usize,
) -> Result<Option<Vec<u8>>, BarrierError> {
    // A place that is not below the folder is nobody's; all of it is looked at.
    let start = match after.filter(|after| after.starts_with(prefix)) {
        Some(after) => [after, &[0]].concat(),
        None => prefix.to_vec(),
    };
    let keys = txn.stored_keys(&start, &after_prefix(prefix), limit).await?;
    let next = keys.last().filter(|_| keys.len() >= limit).cloned();
    for key in keys {
        txn.delete(crate::key::PhysicalKey(key));
    }
    Ok(next)
}

pub(crate) async fn clear_range(txn: &Txn, start: &[u8], end: &[u8], limit: usize) -> Result<bool, BarrierError> {
    let keys = txn.stored_keys(start, end, limit.saturating_add(1)).await?;
    let done = keys.len() <= limit;
    for key in txn.own_range(start, end).into_keys().chain(keys.into_iter().take(limit)) {
        txn.delete(crate::key::PhysicalKey(key));
    }
    Ok(done)
}

#[cfg(test)]
mod tests;
