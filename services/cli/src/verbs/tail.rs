//! `weft tail`: a topic as it goes by.

use std::sync::mpsc;
use std::time::Duration;

use clap::Args;
use stream::{Follow, FollowFrom, Follower, FollowerSetup, Progress, Shutdown, Timestamp};

use crate::journal::{Entry, topic_named, without_nulls};
use crate::output::Output;
use crate::reach::Reach;
use crate::{Failure, Verdict};

/// How long to wait before looking whether the end was asked for.
const LOOK: Duration = Duration::from_millis(200);

/// Print the records of a topic as they come
///
/// Only committed records are shown. Message texts are personal: they are printed as they are.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  weft tail conversation.events\n  weft tail routing.events --conversation 6a1c… --from-beginning\n  weft tail channel.inbound.dlq --from-beginning --once -o json"
)]
pub(super) struct Tail {
    topic: String,
    /// Only records of this conversation
    #[arg(long, value_name = "ID")]
    conversation: Option<String>,
    /// From the first record still there, not from now
    #[arg(long)]
    from_beginning: bool,
    /// End when everything that is there has been shown
    #[arg(long)]
    once: bool,
    /// End after so many records
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
}

impl Tail {
    pub(super) fn run(&self, reach: &Reach, output: &mut Output) -> Result<Verdict, Failure> {
        let topic = topic_named(&self.topic)?;
        let codec = reach.codec(&[topic])?;
        let shutdown = Shutdown::on_signals()?;
        let from = if self.from_beginning { FollowFrom::Beginning } else { FollowFrom::End };
        let setup = FollowerSetup {
            client_id: "weft-cli".into(),
            settings: reach.config.kafka.clone(),
            progress: Progress::new(),
            shutdown: shutdown.clone(),
        };
        let (send, received) = mpsc::sync_channel(1_000);
        let handle = move |record: stream::InputRecord<'_>| drop(send.send(Entry::of(&codec, &record)));
        let follower = Follower::start(Follow::new([self.topic.as_str()]).from(from), &setup, handle)
            .map_err(|fault| reach.kafka_away(&fault))?;
        let shown = self.show(&received, output, || shutdown.requested(), || follower.caught_up());
        shutdown.request();
        drop(received);
        follower.join().map_err(|fault| reach.kafka_away(&fault))?;
        shown.map(|()| Verdict::Good)
    }

    fn show(
        &self,
        received: &mpsc::Receiver<Entry>,
        output: &mut Output,
        ended: impl Fn() -> bool,
        caught_up: impl Fn() -> bool,
    ) -> Result<(), Failure> {
        let mut left = self.limit.unwrap_or(usize::MAX);
        while left > 0 && !ended() {
            let was_caught_up = caught_up();
            let Ok(entry) = received.recv_timeout(LOOK) else {
                if self.once && was_caught_up {
                    return Ok(());
                }
                continue;
            };
            let wanted = self.conversation.as_deref().is_none_or(|id| entry.text("conversation_id") == id);
            if wanted {
                left -= 1;
                print(&entry, output)?;
            }
        }
        Ok(())
    }
}

fn print(entry: &Entry, output: &mut Output) -> Result<(), Failure> {
    if output.is_json() {
        return output.json_line(&entry.json());
    }
    let at = Timestamp::from_ms(entry.timestamp_ms);
    let what = if entry.value.is_null() { "tombstone".into() } else { without_nulls(&entry.value).to_string() };
    output.line(format_args!("{at} {} {} {what}", entry.coordinates, entry.key))
}
