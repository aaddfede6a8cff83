//! A breadth-first search of our own: the first path to a broken property is a shortest one, and is kept.

use super::moves::{Move, Next};
use super::setup::{Property, Setup};
use super::world::{Worker, World};
use duly::model::state::{MessageState, NoticeState};
use std::collections::{BTreeMap, HashMap};
use std::hash::{BuildHasherDefault, Hasher};

/// What a run found.
pub struct Report {
    /// Worlds that can be reached.
    pub worlds: usize,
    /// A shortest path to each broken property.
    pub broken: BTreeMap<Property, Vec<String>>,
}

impl Report {
    /// The paths, one line a move.
    pub fn paths(&self) -> String {
        self.broken
            .iter()
            .map(|(property, path)| format!("{property:?} is broken after {} moves:\n  {}\n", path.len(), path.join("\n  ")))
            .collect()
    }
}

struct Search<'a> {
    setup: &'a Setup,
    worlds: Vec<World>,
    came_from: Vec<(u32, Option<Move>)>,
    known: HashMap<World, u32, BuildHasherDefault<Mix>>,
    broken: BTreeMap<Property, u32>,
    edges: Vec<(u32, u32)>,
}

/// Explores everything, or stops at the first world that breaks `until`.
pub fn explore(setup: &Setup, until: Option<Property>) -> Report {
    let mut search = Search {
        setup,
        worlds: Vec::new(),
        came_from: Vec::new(),
        known: HashMap::default(),
        broken: BTreeMap::new(),
        edges: Vec::new(),
    };
    search.visit(World::start(), 0, None);
    let mut at = 0;
    while at < search.worlds.len() && !until.is_some_and(|p| search.broken.contains_key(&p)) {
        search.expand(at);
        at += 1;
    }
    if until.is_none() {
        search.look_for_ends();
    }
    let broken = search.broken.iter().map(|(property, end)| (*property, search.path(*end))).collect();
    Report { worlds: search.worlds.len(), broken }
}

impl Search<'_> {
    fn visit(&mut self, world: World, from: u32, by: Option<Move>) -> u32 {
        if let Some(index) = self.known.get(&world) {
            return *index;
        }
        let index = self.worlds.len() as u32;
        self.known.insert(world, index);
        self.worlds.push(world);
        self.came_from.push((from, by));
        for property in broken(&world) {
            self.broken.entry(property).or_insert(index);
        }
        index
    }

    fn expand(&mut self, at: usize) {
        let now = self.worlds[at];
        let next = Next { setup: self.setup, now, found: Vec::new() }.all();
        let somebody_works = now.workers.iter().any(|w| *w != Worker::Idle) || now.looked.is_some();
        for m in now.open_mails() {
            let moves =
                next.iter().any(|(by, after)| by.what != "crashes" && after.mails[usize::from(m)] != now.mails[usize::from(m)]);
            if !moves && !somebody_works && !now.hold && now.mails[usize::from(m)].state != MessageState::Overdue {
                self.broken.entry(Property::P2).or_insert(at as u32);
            }
        }
        for (by, mut after) in next {
            // What a move broke is told of the world that it leads to, and not carried on.
            let flags = std::mem::take(&mut after.broken);
            let index = self.visit(after, at as u32, Some(by));
            self.note(flags, at as u32, by);
            self.edges.push((at as u32, index));
        }
    }

    /// A move that broke a property gets a world of its own at the end of the path.
    fn note(&mut self, flags: u16, from: u32, by: Move) {
        for property in [Property::P5, Property::P5r, Property::P6] {
            if flags & (1 << property as u16) != 0 && !self.broken.contains_key(&property) {
                let index = self.came_from.len() as u32;
                self.came_from.push((from, Some(by)));
                self.worlds.push(World { broken: flags, ..self.worlds[from as usize] });
                self.broken.insert(property, index);
            }
        }
    }

    /// P3: walks back from every end; who is not met cannot reach one.
    fn look_for_ends(&mut self) {
        let mut before: Vec<Vec<u32>> = vec![Vec::new(); self.worlds.len()];
        for (from, to) in self.edges.drain(..) {
            before[to as usize].push(from);
        }
        let mut reaches: Vec<bool> = self.worlds.iter().map(is_end).collect();
        let mut stack: Vec<u32> = (0..self.worlds.len() as u32).filter(|i| reaches[*i as usize]).collect();
        while let Some(index) = stack.pop() {
            for &from in &before[index as usize] {
                if !std::mem::replace(&mut reaches[from as usize], true) {
                    stack.push(from);
                }
            }
        }
        if let Some(lost) = reaches.iter().position(|reaches| !reaches) {
            self.broken.entry(Property::P3).or_insert(lost as u32);
        }
    }

    fn path(&self, end: u32) -> Vec<String> {
        let mut path = Vec::new();
        let mut at = end;
        while let (from, Some(by)) = self.came_from[at as usize] {
            let states: Vec<&str> = self.worlds[at as usize].mails[..usize::from(self.worlds[at as usize].count)]
                .iter()
                .map(|m| m.state.as_str())
                .collect();
            path.push(format!("message {} call {} {} -> {}", by.m, by.call, by.what, states.join(", ")));
            at = from;
        }
        path.reverse();
        path
    }
}

fn is_end(world: &World) -> bool {
    let rests = |m: u8| world.mails[usize::from(m)].state == MessageState::Overdue;
    world.open_mails().all(rests) && world.workers == [Worker::Idle; 2]
}

/// The properties of a world by itself.
fn broken(world: &World) -> Vec<Property> {
    let mut broken = Vec::new();
    for mail in &world.mails[..usize::from(world.count)] {
        let twice = mail.produced.count_ones() > 1;
        let is_over = matches!(mail.state, MessageState::Rejected | MessageState::Exhausted | MessageState::Cancelled);
        let checks = [
            (twice, Property::P1),
            (mail.known.count_ones() > 1 && !mail.alarm, Property::P1a),
            (mail.denied & mail.produced != 0 && !mail.alarm, Property::P4),
            (mail.state == MessageState::Ready && mail.produced != 0, Property::P4m),
            (is_over && mail.produced != 0 && !mail.alarm, Property::P7),
            (mail.known != 0 && !mail.state.is_taken(), Property::P8),
            (mail.alarm && !twice, Property::NoFalseAlarm),
        ];
        broken.extend(checks.into_iter().filter_map(|(is_broken, property)| is_broken.then_some(property)));
    }
    if world.notice == NoticeState::Open && world.open_mails().next().is_none() {
        broken.push(Property::P9);
    }
    broken
}

/// Multiply and fold: good enough for small worlds, and three times as fast as the library's.
#[derive(Default)]
struct Mix(u64);

impl Hasher for Mix {
    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 29)
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u8(*byte);
        }
    }

    fn write_u8(&mut self, byte: u8) {
        self.write_u64(byte.into());
    }

    fn write_u16(&mut self, word: u16) {
        self.write_u64(word.into());
    }

    fn write_isize(&mut self, word: isize) {
        self.write_u64(word as u64);
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }
}
