//! The runtime on a real Kafka: nothing lost, nothing doubled, nothing aborted ever seen.
//!
//! `counter` is a complete station in miniature, the living example of how one is made.

#[cfg(test)]
mod child;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod counter;
#[cfg(test)]
mod exactly_once;
#[cfg(test)]
mod faulty;
#[cfg(test)]
mod following;
#[cfg(test)]
mod group;
#[cfg(test)]
mod hanging;
#[cfg(test)]
mod leaving;
#[cfg(test)]
mod peer;
#[cfg(test)]
mod poison;
#[cfg(test)]
mod sink;
