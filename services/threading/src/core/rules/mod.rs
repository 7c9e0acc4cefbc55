//! One file per rule, each with the table of its tests.

pub(super) mod after_call;
pub(super) mod aliases;
pub(super) mod annotations;
pub(super) mod beginning;
pub(super) mod changes;
pub(super) mod closing;
pub(super) mod consents;
pub(super) mod contact;
pub(super) mod deduplication;
pub(super) mod entry_points;
pub(super) mod joining;
pub(super) mod leaving;
pub(super) mod ownership;
pub(super) mod sends;
pub(super) mod sequence;
pub(super) mod session;
pub(super) mod settings;
pub(super) mod signals;
pub(super) mod turns;
pub(super) mod views;
pub(super) mod window;
