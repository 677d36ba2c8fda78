//! Sorted names of large folders, kept in memory so that the next page need not look at the whole folder again.
//!
//! ```text
//! list ──page()──► Ready ── it has the names ──► answer
//!   │ no                       ▲
//!   └─ begin() ─► Growing ─────┘ finish(): what was written during the scan is caught up with
//!                    ▲ written(): the committer tells of every group before anybody sees it
//! ```
//! What is held are windows: all names of a folder behind `after` up to `upto`. Bounded in bytes, each and altogether; a
//! folder that does not fit into one is scanned once a window by a walk. Dropped with the barrier by a seal.
//!
//! Not here: reading a folder from the store (`list`).

use crate::key::Keyspace;
use crate::list::split;
use crate::view::Page;
use bulla_crypto::Siv;
use bulla_physical::{Change, Group, Watcher};
use parking_lot::Mutex;
use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;

/// Bytes of names held in one window: some 200 000 short names. Tests see small folders as large ones.
pub(crate) const WINDOW: usize = if cfg!(test) { 8 * (NAME + 2) } else { 16 << 20 };
/// Bytes of names held for all folders.
const ALL: usize = if cfg!(test) { 3 * WINDOW } else { 64 << 20 };
/// Folders that are scanned at the same time to be held; each may take a window's bytes meanwhile.
const GROWING: usize = 4;
/// Names written during a scan; beyond that it is not held.
const CAUGHT_UP: usize = 10_000;
/// What a name costs in a set beside its own bytes.
const NAME: usize = 56;

pub(crate) fn cost(name: &str) -> usize {
    name.len() + NAME
}

pub(crate) struct Folders {
    /// In a block of its own: the store's weak reference keeps ours from being freed, and so erased, at once.
    names: Box<Siv>,
    inner: Mutex<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By physical prefix; none is empty. Windows of one folder may overlap: each is right for itself.
    folders: HashMap<Vec<u8>, Vec<Held>>,
    /// The last group that was told of.
    seen: u64,
    /// Counts uses, to find what has not been used for longest.
    turn: u64,
}

enum Held {
    /// Names written since the scan began.
    Growing {
        turn: u64,
        log: Vec<Step>,
    },
    Ready {
        used: u64,
        window: Window,
    },
}

/// A name that was written or removed.
#[derive(Clone)]
struct Step {
    seq: u64,
    name: String,
    /// Something below the name, not the name itself.
    below: bool,
    put: bool,
}

/// All names of a folder behind `after` (`None` = from the first one), up to and with `upto` (`None` = to the last one).
pub(crate) struct Window {
    pub(crate) names: BTreeSet<String>,
    pub(crate) after: Option<String>,
    pub(crate) upto: Option<String>,
    pub(crate) bytes: usize,
    /// The group that changed it last; older snapshots see another folder.
    pub(crate) changed: u64,
}

/// A scan whose outcome will be held. Given up if dropped.
pub(crate) struct Growth<'a> {
    folders: &'a Folders,
    prefix: Vec<u8>,
    turn: u64,
}

impl Folders {
    pub(crate) fn new(names: Siv) -> Self {
        Self { names: Box::new(names), inner: Mutex::default() }
    }

    /// Tells of the group up to which everything is in the store already.
    pub(crate) fn starts_at(&self, seq: u64) {
        let mut inner = self.inner.lock();
        inner.seen = inner.seen.max(seq);
    }

    /// The page as a snapshot at `seq` has it; `None` if what is held does not say.
    pub(crate) fn page(&self, prefix: &[u8], seq: u64, page: &Page) -> Option<Vec<String>> {
        let mut inner = self.inner.lock();
        inner.turn += 1;
        let turn = inner.turn;
        inner.folders.get_mut(prefix)?.iter_mut().find_map(|held| {
            let Held::Ready { used, window } = held else { return None };
            let names = if window.changed > seq { None } else { window.page(page) };
            if names.is_some() {
                *used = turn;
            }
            names
        })
    }

    /// For a folder that is found to be large by a snapshot at `seq`. `None` if its changes since would be missed, or if
    /// enough others are at it.
    pub(crate) fn begin(&self, prefix: &[u8], seq: u64) -> Option<Growth<'_>> {
        let mut inner = self.inner.lock();
        let is_growing = |held: &&Held| matches!(held, Held::Growing { .. });
        let growing = inner.folders.values().flatten().filter(is_growing).count();
        let same = inner.folders.get(prefix).is_some_and(|windows| windows.iter().any(|held| is_growing(&held)));
        if inner.seen != seq || growing >= GROWING || same {
            return None;
        }
        inner.turn += 1;
        let turn = inner.turn;
        inner.folders.entry(prefix.to_vec()).or_default().push(Held::Growing { turn, log: Vec::new() });
        Some(Growth { folders: self, prefix: prefix.to_vec(), turn })
    }
}

#[cfg(test)]
impl Folders {
    /// Whether all bounds hold and every window's count of bytes is right.
    pub(crate) fn is_bounded(&self) -> bool {
        let inner = self.inner.lock();
        let windows = inner.folders.values().flatten().filter_map(|held| match held {
            Held::Ready { window, .. } => Some(window),
            Held::Growing { .. } => None,
        });
        let right = |window: &Window| window.names.iter().map(|name| cost(name)).sum::<usize>() == window.bytes;
        windows.clone().all(|window| window.bytes <= WINDOW && right(window))
            && windows.map(|window| window.bytes).sum::<usize>() <= ALL
            && inner.folders.values().all(|windows| !windows.is_empty())
    }
}

impl Growth<'_> {
    pub(crate) fn finish(self, mut window: Window) {
        let mut inner = self.folders.inner.lock();
        let Some(log) = inner.give_up(&self.prefix, self.turn) else { return };
        if !window.trim() || !log.iter().all(|step| window.apply(step)) {
            return;
        }
        inner.turn += 1;
        let used = inner.turn;
        let windows = inner.folders.entry(self.prefix.clone()).or_default();
        windows.retain(|held| !matches!(held, Held::Ready { window: old, .. } if window.covers(old)));
        windows.push(Held::Ready { used, window });
        inner.make_room();
    }
}

impl Drop for Growth<'_> {
    fn drop(&mut self) {
        self.folders.inner.lock().give_up(&self.prefix, self.turn);
    }
}

impl Watcher for Folders {
    fn written(&self, group: &Group) {
        let mut inner = self.inner.lock();
        inner.seen = group.seq();
        if inner.folders.is_empty() {
            return;
        }
        for (key, change) in group.merged() {
            inner.note(&self.names, group.seq(), key, matches!(change, Change::Put(_)));
        }
        inner.make_room();
    }
}

impl Inner {
    /// Every folder on the way to `key` may be held.
    fn note(&mut self, names: &Siv, seq: u64, key: &[u8], put: bool) {
        const SCOPE: usize = 1 + 16;
        if key.first() != Some(&(Keyspace::Named as u8)) {
            return;
        }
        let mut at = SCOPE;
        while let Some(prefix) = key.get(..at).filter(|prefix| prefix.len() < key.len()) {
            let Some(found) = split(key, prefix) else { return };
            if self.folders.contains_key(prefix) {
                let mut plain = Vec::new();
                let opened =
                    names.open(prefix, found.sealed, &mut plain).ok().and_then(|()| String::from_utf8(plain).ok());
                // A name that does not open is in no listing either.
                if let Some(mut name) = opened {
                    if found.is_folder {
                        name.push('/');
                    }
                    self.step(prefix, &Step { seq, name, below: found.is_folder, put });
                }
            }
            at = found.end;
        }
    }

    fn step(&mut self, prefix: &[u8], step: &Step) {
        let Some(windows) = self.folders.get_mut(prefix) else { return };
        windows.retain_mut(|held| match held {
            Held::Ready { window, .. } => window.apply(step),
            Held::Growing { log, .. } => {
                log.push(step.clone());
                log.len() <= CAUGHT_UP
            }
        });
        if windows.is_empty() {
            self.folders.remove(prefix);
        }
    }

    /// Takes a scan's place away; its log, if it still was there.
    fn give_up(&mut self, prefix: &[u8], turn: u64) -> Option<Vec<Step>> {
        let windows = self.folders.get_mut(prefix)?;
        let at = windows.iter().position(|held| matches!(held, Held::Growing { turn: its, .. } if *its == turn))?;
        let given = windows.swap_remove(at);
        if windows.is_empty() {
            self.folders.remove(prefix);
        }
        match given {
            Held::Growing { log, .. } => Some(log),
            Held::Ready { .. } => None,
        }
    }

    fn make_room(&mut self) {
        let ready = |held: &Held| match held {
            Held::Ready { used, window } => Some((*used, window.bytes)),
            Held::Growing { .. } => None,
        };
        while self.folders.values().flatten().filter_map(ready).map(|(_, bytes)| bytes).sum::<usize>() > ALL {
            let oldest = self.folders.values().flatten().filter_map(ready).map(|(used, _)| used).min();
            for windows in self.folders.values_mut() {
                windows.retain(|held| ready(held).is_none_or(|(used, _)| Some(used) != oldest));
            }
            self.folders.retain(|_, windows| !windows.is_empty());
        }
    }
}

impl Window {
    fn page(&self, page: &Page) -> Option<Vec<String>> {
        if self.after.is_some() && page.after < self.after {
            return None;
        }
        let from = page.after.as_deref().map_or(Bound::Unbounded, Bound::Excluded);
        let limit = page.limit.unwrap_or(usize::MAX);
        let names: Vec<String> = self.names.range::<str, _>((from, Bound::Unbounded)).take(limit).cloned().collect();
        (self.upto.is_none() || names.len() == limit).then_some(names)
    }

    fn covers(&self, other: &Self) -> bool {
        let begins = self.after <= other.after;
        begins && (self.upto.is_none() || (other.upto.is_some() && self.upto >= other.upto))
    }

    fn spans(&self, name: &str) -> bool {
        self.after.as_deref().is_none_or(|after| name > after) && self.upto.as_deref().is_none_or(|upto| name <= upto)
    }

    /// Follows a change; `false` = what the folder is now cannot be told without looking.
    fn apply(&mut self, step: &Step) -> bool {
        if !self.spans(&step.name) {
            return true;
        }
        if step.put {
            if self.names.insert(step.name.clone()) {
                self.bytes += cost(&step.name);
                self.changed = step.seq;
            }
        } else if step.below {
            // The last one below it, or one of many?
            return !self.names.contains(&step.name);
        } else if self.names.remove(&step.name) {
            self.bytes -= cost(&step.name);
            self.changed = step.seq;
        }
        self.trim()
    }

    /// Drops the last names until the bound holds; `false` = none is left to answer with.
    fn trim(&mut self) -> bool {
        while self.bytes > WINDOW {
            let Some(last) = self.names.pop_last() else { return false };
            self.bytes -= cost(&last);
            self.upto = self.names.last().cloned();
            if self.upto.is_none() {
                return false;
            }
        }
        true
    }
}
