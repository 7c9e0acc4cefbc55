//! One file per business rule; the numbers are those of the product's rules.

pub mod abandoned;
pub mod arrival;
pub mod bot;
pub mod capacity;
pub mod configured;
pub mod connection;
pub mod decision;
pub mod disconnect;
pub mod eligibility;
pub mod estimate;
pub mod facts;
pub mod last_agent;
pub mod matching;
pub mod offer;
pub mod order;
pub mod owner_away;
pub mod part;
pub mod presence;
pub mod queue_choice;
pub mod reentry;
pub mod requeue;
pub mod selection;
pub mod service_level;
pub mod spoke;
pub mod wrap_up;
