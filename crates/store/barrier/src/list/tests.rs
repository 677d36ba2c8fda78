//! Listings beside a sorted set, with everything that holds names made small: chunks, windows, what counts as large.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

use crate::{Barrier, Page, Txn, View};
use bulla_physical::Store;
use bulla_seal::{Keyring, RootKey};
use bulla_types::ScopeId;
use proptest::prelude::*;
use std::collections::BTreeSet;
use std::sync::Arc;

#[derive(Clone, Debug)]
enum Call {
    /// Each a name that is put or deleted.
    Write(Vec<(usize, bool)>),
    List(Asked),
    /// While the listing is at work something is written.
    Meanwhile(Asked, Vec<(usize, bool)>),
    /// From now on listings of this transaction are asked for, too.
    Hold,
    /// The held transaction writes something for itself first.
    ListHeld(Asked, Option<(usize, bool)>),
}

#[derive(Clone, Debug)]
struct Asked {
    folder: &'static str,
    after: Option<usize>,
    limit: Option<usize>,
}

/// Leaves, folders of one or two, a leaf with the name of a folder, and a second large folder.
fn name(number: usize) -> String {
    match number {
        0..=29 => format!("n{number:02}"),
        30..=33 => format!("n{:02}/deep", number - 20),
        34..=37 => format!("n{:02}/deep/er", number - 24),
        38..=41 => format!("m{}/x", number - 38),
        _ => format!("other/{:02}", number - 42),
    }
}

const NAMES: usize = 54;

type Model = BTreeSet<String>;

fn expected(model: &Model, asked: &Asked) -> Vec<String> {
    let inside = model.iter().filter_map(|path| match asked.folder {
        "" => Some(path.as_str()),
        folder => path.strip_prefix(folder)?.strip_prefix('/'),
    });
    let children: BTreeSet<String> = inside
        .map(|path| path.split_once('/').map_or_else(|| path.to_owned(), |(folder, _)| format!("{folder}/")))
        .collect();
    let after = after(asked);
    let kept = children.into_iter().filter(|child| after.as_ref().is_none_or(|after| child > after));
    kept.take(asked.limit.unwrap_or(usize::MAX)).collect()
}

fn after(asked: &Asked) -> Option<String> {
    asked.after.map(|number| name(number).trim_start_matches("other/").to_owned())
}

fn change(model: &mut Model, (number, put): (usize, bool)) {
    if put {
        model.insert(name(number))
    } else {
        model.remove(&name(number))
    };
}

struct House {
    barrier: Arc<Barrier>,
}

impl House {
    fn new() -> Self {
        let (root, keyring) = (RootKey::generate().unwrap(), Keyring::generate(1).unwrap());
        Self { barrier: Arc::new(Barrier::new(Store::memory(), root, keyring)) }
    }

    fn begin(&self) -> View {
        View::new(&Txn::before_open(&self.barrier).unwrap(), ScopeId([3; 16]))
    }

    async fn write(&self, changes: &[(usize, bool)]) {
        let view = self.begin();
        for (number, put) in changes {
            write_one(&view, *number, *put);
        }
        view.txn().commit(()).await.unwrap();
    }
}

fn write_one(view: &View, number: usize, put: bool) {
    if put { view.put(&name(number), vec![1]).unwrap() } else { view.delete(&name(number)).unwrap() }
}

async fn list(view: &View, asked: &Asked) -> Vec<String> {
    view.list(asked.folder, &Page { after: after(asked), limit: asked.limit }).await.unwrap()
}

async fn play(calls: &[Call]) {
    let (house, mut model) = (House::new(), Model::new());
    let mut held: Option<(View, Model)> = None;
    for (at, call) in calls.iter().enumerate() {
        match call {
            Call::Write(changes) => {
                house.write(changes).await;
                changes.iter().for_each(|one| change(&mut model, *one));
            }
            Call::List(asked) => {
                assert_eq!(list(&house.begin(), asked).await, expected(&model, asked), "call {at}: {call:?}");
            }
            Call::Meanwhile(asked, changes) => {
                let view = house.begin();
                let (listed, ()) = tokio::join!(list(&view, asked), house.write(changes));
                assert_eq!(listed, expected(&model, asked), "call {at}: {call:?}");
                changes.iter().for_each(|one| change(&mut model, *one));
                assert_eq!(list(&house.begin(), asked).await, expected(&model, asked), "after call {at}: {call:?}");
            }
            Call::Hold => held = Some((house.begin(), model.clone())),
            Call::ListHeld(asked, own) => {
                let Some((view, seen)) = &mut held else { continue };
                if let Some(own) = own {
                    write_one(view, own.0, own.1);
                    change(seen, *own);
                }
                assert_eq!(list(view, asked).await, expected(seen, asked), "call {at}: {call:?}");
            }
        }
        assert!(house.barrier.folders().is_bounded(), "call {at}: {call:?}");
    }
}

fn calls() -> impl Strategy<Value = Vec<Call>> {
    let one = || (0..NAMES, prop::bool::weighted(0.75));
    let changes = move |most| prop::collection::vec(one(), 1..most);
    let asked = || {
        let folder = prop_oneof![4 => Just(""), 1 => Just("other"), 1 => Just("n10")];
        (folder, prop::option::of(0..NAMES), prop::option::weighted(0.9, 1..7_usize))
            .prop_map(|(folder, after, limit)| Asked { folder, after, limit })
    };
    let call = prop_oneof![
        3 => changes(12).prop_map(Call::Write),
        4 => asked().prop_map(Call::List),
        2 => (asked(), changes(3)).prop_map(|(asked, changes)| Call::Meanwhile(asked, changes)),
        1 => Just(Call::Hold),
        2 => (asked(), prop::option::weighted(0.2, one())).prop_map(|(asked, own)| Call::ListHeld(asked, own)),
    ];
    let full: Vec<(usize, bool)> = (0..NAMES).map(|number| (number, true)).collect();
    prop::collection::vec(call, 1..40).prop_map(move |mut calls| {
        calls.insert(0, Call::Write(full.clone()));
        calls
    })
}

proptest! {
    #[test]
    fn pages_are_those_of_a_sorted_set(calls in calls()) {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(play(&calls));
    }
}

/// How many names below the folder are opened for a page.
async fn page(house: &House, after: Option<usize>) -> (Vec<String>, bool) {
    let view = house.begin();
    let asked = Asked { folder: "", after, limit: Some(2) };
    let prefix = Barrier::scope_prefix(ScopeId([3; 16]));
    let wanted = Page { after: self::after(&asked), limit: asked.limit };
    let held = house.barrier.folders().page(&prefix, view.txn().seq(), &wanted).is_some();
    (list(&view, &asked).await, held)
}

#[tokio::test]
async fn a_walk_scans_once_a_window_and_changes_keep_it() {
    let house = House::new();
    let all: Vec<(usize, bool)> = (0..30).map(|number| (number, true)).collect();
    house.write(&all).await;
    let (mut after, mut scans, mut walked) = (None, 0, Vec::new());
    loop {
        let (names, held) = page(&house, after).await;
        scans += usize::from(!held);
        let Some(last) = names.last() else { break };
        after = Some(last[1..].parse().unwrap());
        walked.extend(names);
        // A change of a value is no change of the names; a name before or behind is none of the window's business.
        house.write(&[(after.unwrap(), true)]).await;
    }
    assert_eq!(walked, (0..30).map(name).collect::<Vec<_>>());
    assert!((2..=5).contains(&scans), "30 names in windows of 8 were scanned {scans} times");
    // Who is at the beginning and who is at the end do not take each other's window away.
    page(&house, None).await;
    page(&house, Some(20)).await;
    assert!(page(&house, Some(1)).await.1 && page(&house, Some(21)).await.1);
    house.write(&[(2, false), (38, true)]).await;
    assert_eq!(page(&house, Some(1)).await, (vec!["n03".into(), "n04".into()], true));
    assert_eq!(page(&house, None).await, (vec!["m0/".into(), "n00".into()], true));
    // What is left of a folder below is not known without looking.
    house.write(&[(38, false)]).await;
    assert_eq!(page(&house, None).await, (vec!["n00".into(), "n01".into()], false));
}

#[tokio::test]
async fn a_listing_that_is_dropped_leaves_no_trace() {
    let house = House::new();
    let all: Vec<(usize, bool)> = (0..30).map(|number| (number, true)).collect();
    house.write(&all).await;
    let view = house.begin();
    let asked = Asked { folder: "", after: None, limit: Some(2) };
    let listing = list(&view, &asked);
    tokio::select! {
        biased;
        _ = listing => panic!("a large folder is read in one go"),
        // Long enough for the folder to be found large.
        () = async { for _ in 0..3 { tokio::task::yield_now().await; } } => {}
    }
    assert!(!page(&house, None).await.1);
    assert!(page(&house, None).await.1, "a scan that was given up stands in the way");
}
