// Lists of states and data-dependent branches: a regular expression as a Thompson automaton (Pike's machine),
// searched for in a text of 16 KiB, n times.
include!("program.rs");

#[derive(Clone, Copy)]
enum Step {
    /// One byte of a set, by its number.
    Set(usize),
    Split(usize, usize),
    Jump(usize),
    Match,
}

type ByteSet = [bool; 256];

/// `|`, `*`, `+`, `?`, `()`, `[a-z]`, `.` and bytes that stand for themselves.
struct Compiler<'a> {
    pattern: &'a [u8],
    at: usize,
    sets: Vec<ByteSet>,
}

impl<'a> Compiler<'a> {
    fn either(&mut self) -> Vec<Step> {
        let left = self.sequence();
        if self.pattern.get(self.at) != Some(&b'|') {
            return left;
        }
        self.at += 1;
        let right = self.either();
        let mut steps = vec![Step::Split(1, left.len() + 2)];
        append(&mut steps, &left);
        steps.push(Step::Jump(left.len() + right.len() + 2));
        append(&mut steps, &right);
        steps
    }

    fn sequence(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        while !matches!(self.pattern.get(self.at), None | Some(b'|' | b')')) {
            let piece = self.repeated();
            append(&mut steps, &piece);
        }
        steps
    }

    fn repeated(&mut self) -> Vec<Step> {
        let piece = self.single();
        let length = piece.len();
        let mut steps = Vec::new();
        match self.pattern.get(self.at) {
            Some(b'*') => {
                steps.push(Step::Split(1, length + 2));
                append(&mut steps, &piece);
                steps.push(Step::Jump(0));
            }
            Some(b'+') => {
                append(&mut steps, &piece);
                steps.push(Step::Split(0, length + 1));
            }
            Some(b'?') => {
                steps.push(Step::Split(1, length + 1));
                append(&mut steps, &piece);
            }
            _ => return piece,
        }
        self.at += 1;
        steps
    }

    fn single(&mut self) -> Vec<Step> {
        let byte = self.pattern[self.at];
        self.at += 1;
        let mut set = [false; 256];
        match byte {
            b'(' => {
                let steps = self.either();
                self.at += 1;
                return steps;
            }
            b'[' => {
                while self.pattern[self.at] != b']' {
                    let first = self.pattern[self.at];
                    let is_range = self.pattern[self.at + 1] == b'-';
                    let last = if is_range { self.pattern[self.at + 2] } else { first };
                    set[usize::from(first)..=usize::from(last)].fill(true);
                    self.at += if is_range { 3 } else { 1 };
                }
                self.at += 1;
            }
            b'.' => set.fill(true),
            _ => set[usize::from(byte)] = true,
        }
        self.sets.push(set);
        vec![Step::Set(self.sets.len() - 1)]
    }
}

/// Targets are relative to where a piece begins.
fn append(steps: &mut Vec<Step>, piece: &[Step]) {
    let by = steps.len();
    steps.extend(piece.iter().map(|step| match *step {
        Step::Split(one, other) => Step::Split(one + by, other + by),
        Step::Jump(to) => Step::Jump(to + by),
        other => other,
    }));
}

struct Machine {
    steps: Vec<Step>,
    sets: Vec<ByteSet>,
}

/// States that the machine is in at one byte, each once.
struct Threads {
    list: Vec<usize>,
    seen: Vec<u32>,
    generation: u32,
}

impl Threads {
    fn clear(&mut self) {
        self.list.clear();
        self.generation += 1;
    }

    fn add(&mut self, steps: &[Step], at: usize) {
        if self.seen[at] == self.generation {
            return;
        }
        self.seen[at] = self.generation;
        match steps[at] {
            Step::Jump(to) => self.add(steps, to),
            Step::Split(one, other) => {
                self.add(steps, one);
                self.add(steps, other);
            }
            _ => self.list.push(at),
        }
    }
}

impl Machine {
    fn new(pattern: &str) -> Self {
        let mut compiler = Compiler { pattern: pattern.as_bytes(), at: 0, sets: Vec::new() };
        let mut steps = compiler.either();
        steps.push(Step::Match);
        Self { steps, sets: compiler.sets }
    }

    /// How many bytes end a match that begins anywhere.
    fn count_ends(&self, text: &[u8]) -> u32 {
        let size = self.steps.len();
        let threads = || Threads { list: Vec::with_capacity(size), seen: vec![0; size], generation: 0 };
        let (mut now, mut next) = (threads(), threads());
        let mut ends = 0;
        now.clear();
        for &byte in text {
            now.add(&self.steps, 0);
            next.clear();
            for &at in &now.list {
                match self.steps[at] {
                    Step::Set(set) if self.sets[set][usize::from(byte)] => next.add(&self.steps, at + 1),
                    _ => {}
                }
            }
            core::mem::swap(&mut now, &mut next);
            ends += u32::from(now.list.iter().any(|&at| matches!(self.steps[at], Step::Match)));
        }
        ends
    }
}

#[no_mangle]
pub extern "C" fn run(n: i32) -> i32 {
    let mut state = 5;
    let text: Vec<u8> = (0..16384).map(|_| b"ab01.@-cde mn"[(next_random(&mut state) >> 16) as usize % 13]).collect();
    let machine = Machine::new("([a-e]|[0-9])+(.[a-e0-9]+)*@[a-n]+(-|m)?[0-9]*|(ab|ba)+n");
    let mut ends = 0_u32;
    for _ in 0..n {
        ends = ends.wrapping_add(machine.count_ends(&text));
    }
    ends as i32
}
