//! Guests: sockets, sign-in, the deployment's configuration.

pub mod deployment;
pub mod frames;
pub mod sign_in;
pub mod socket;
