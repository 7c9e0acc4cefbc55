//! A complete station in miniature: it counts what is added under a name, rings when a name's
//! timer runs out, and asks the outside world when told to.

use serde::{Deserialize, Serialize};
use stream::{
    DeadLetter, Derived, EventOf, Index, InputRecord, Inputs, Machine, Outbox, Output, Performer, Reject, Reply, Scope,
    State, StateOf, Station, Stored, Table, Tick, Timestamp,
};

/// What is known under a name.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Count {
    pub(crate) total: i64,
    pub(crate) rings_at: Option<Timestamp>,
    pub(crate) asked: bool,
}

pub(crate) struct Counts {
    counts: Table<String, Count>,
    limits: Table<String, i64>,
    rings: Index<(Timestamp, String)>,
}

impl Default for Counts {
    fn default() -> Self {
        Self { counts: Table::new("counts"), limits: Table::new("limits"), rings: Index::new() }
    }
}

impl State for Counts {
    fn tables(&mut self) -> Vec<&mut dyn Stored> {
        vec![&mut self.counts, &mut self.limits]
    }

    fn indexes(&mut self) -> Vec<&mut dyn Derived> {
        vec![&mut self.rings]
    }

    fn rebuild(&mut self) {
        for (name, count) in &self.counts {
            if let Some(at) = count.rings_at {
                self.rings.insert((at, name.clone()));
            }
        }
    }

    fn check(&self, scope: Scope) -> Result<(), String> {
        let sound = |name: &String, count: &Count| match count.total {
            0.. => Ok(()),
            total => Err(format!("{name} stands at {total}")),
        };
        match scope {
            Scope::Touched => self
                .counts
                .touched()
                .filter_map(|name| Some((name, self.counts.get(name)?)))
                .try_for_each(|(name, count)| sound(name, count)),
            Scope::All => self.counts.iter().try_for_each(|(name, count)| sound(name, count)),
        }
    }
}

#[derive(Debug)]
pub(crate) enum Event {
    Add { name: String, amount: i64 },
    RingAfter { name: String, ms: i64 },
    Ask { name: String },
    Answered { name: String, answer: i64 },
    AnswerLost { name: String },
    Limit { name: String, limit: i64 },
    Explode,
    Die,
    Tick,
}

impl From<Tick> for Event {
    fn from(Tick: Tick) -> Self {
        Event::Tick
    }
}

#[derive(Debug, PartialEq)]
pub(crate) enum Effect {
    Say { name: String, text: String },
    Ask { name: String },
}

pub(crate) struct Counter;

impl Machine for Counter {
    type State = Counts;
    type Event = Event;
    type Effect = Effect;

    fn apply(&self, state: &mut Counts, event: Event, now: Timestamp) -> Vec<Effect> {
        match event {
            Event::Add { name, amount } => {
                let mut count = state.counts.get(&name).cloned().unwrap_or_default();
                let limit = state.limits.get(&name).copied().unwrap_or(i64::MAX);
                count.total = (count.total + amount).min(limit);
                let text = format!("total {}", count.total);
                state.counts.put(name.clone(), count);
                vec![Effect::Say { name, text }]
            }
            Event::RingAfter { name, ms } => {
                let mut count = state.counts.get(&name).cloned().unwrap_or_default();
                if let Some(at) = count.rings_at.take() {
                    state.rings.remove(&(at, name.clone()));
                }
                count.rings_at = Some(now.plus_ms(ms));
                state.rings.insert((now.plus_ms(ms), name.clone()));
                state.counts.put(name, count);
                Vec::new()
            }
            Event::Ask { name } => {
                let mut count = state.counts.get(&name).cloned().unwrap_or_default();
                count.asked = true;
                state.counts.put(name.clone(), count);
                vec![Effect::Ask { name }]
            }
            Event::Answered { name, answer } => state.answer(name, format!("answer {answer}")),
            Event::AnswerLost { name } => state.answer(name, "answer lost".to_owned()),
            Event::Limit { name, limit } => {
                state.limits.put(name, limit);
                Vec::new()
            }
            Event::Explode => panic!("told to explode"),
            Event::Die => std::process::abort(),
            Event::Tick => state.ring(now),
        }
    }

    fn next_deadline(&self, state: &Counts) -> Option<Timestamp> {
        state.rings.first().map(|(at, _)| *at)
    }
}

impl Counts {
    fn answer(&mut self, name: String, text: String) -> Vec<Effect> {
        if let Some(count) = self.counts.get_mut(&name) {
            count.asked = false;
        }
        vec![Effect::Say { name, text }]
    }

    fn ring(&mut self, now: Timestamp) -> Vec<Effect> {
        let due: Vec<_> = self.rings.iter().take_while(|(at, _)| *at <= now).cloned().collect();
        let mut effects = Vec::new();
        for (at, name) in due {
            self.rings.remove(&(at, name.clone()));
            let count = self.counts.get_mut(&name).expect("a ring belongs to a count");
            count.rings_at = None;
            effects.push(Effect::Say { text: format!("rang at total {}", count.total), name });
        }
        effects
    }
}

/// The shell: lines of text in, lines of text out.
pub(crate) struct CounterStation {
    /// What the names of its input topics start with.
    pub(crate) inputs: String,
    /// Where it speaks.
    pub(crate) output: String,
}

impl Station for CounterStation {
    type Machine = Counter;
    type Request = String;
    type Outcome = (String, i64);

    fn machine(&self) -> &Counter {
        &Counter
    }

    fn inputs(&self) -> Inputs {
        let topic = |name: &str| format!("{}.{name}", self.inputs);
        Inputs::new([topic("in"), topic("side")]).config([topic("config")])
    }

    fn intake(&self, record: &InputRecord<'_>) -> Result<Option<Event>, Reject> {
        let line = std::str::from_utf8(record.payload.unwrap_or_default());
        let line = line.map_err(|error| Reject::new("not_text", error.to_string()))?;
        let number = |text: &str| {
            let parsed = text.parse();
            parsed.map_err(|_| Reject::new("not_a_number", format!("expected a number, got {text}")))
        };
        let words: Vec<&str> = line.split(' ').collect();
        Ok(Some(match words[..] {
            ["add", name, amount] => Event::Add { name: name.into(), amount: number(amount)? },
            ["ring", name, ms] => Event::RingAfter { name: name.into(), ms: number(ms)? },
            ["ask", name] => Event::Ask { name: name.into() },
            ["limit", name, limit] => Event::Limit { name: name.into(), limit: number(limit)? },
            ["explode"] => Event::Explode,
            ["die"] => Event::Die,
            ["ignore"] => return Ok(None),
            _ => return Err(Reject::new("unknown_command", "expected add, ring, ask or limit")),
        }))
    }

    fn outlet(&self, effect: Effect, out: &mut Outbox<String>) {
        match effect {
            Effect::Say { name, text } => {
                out.record(Output::new(self.output.clone(), name, text));
            }
            Effect::Ask { name } => out.request(name),
        }
    }

    fn outcome(&self, (name, answer): &(String, i64)) -> Event {
        Event::Answered { name: name.clone(), answer: *answer }
    }

    fn lost(&self, state: &StateOf<Self>) -> Vec<EventOf<Self>> {
        let asked = state.counts.iter().filter(|(_, count)| count.asked);
        asked.map(|(name, _)| Event::AnswerLost { name: name.clone() }).collect()
    }

    fn dead_letter(&self, letter: &DeadLetter<'_>) -> Vec<u8> {
        let from = letter.record.coordinates();
        format!("{from} {} attempt {}", letter.reason, letter.attempt).into_bytes()
    }
}

/// The outside world: knows that the answer is 42, except for `silence`.
pub(crate) struct Oracle;

impl Performer<CounterStation> for Oracle {
    fn perform(&self, _: i32, name: String, reply: Reply<(String, i64)>) {
        if name != "silence" && reply.owned() {
            reply.send((name, 42));
        }
    }
}
