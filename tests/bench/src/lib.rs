//! Speed: the workloads of `make bench`, each measured beside the raw loop of the same shape in the
//! same run, and what their tables are made of.

pub mod answers;
pub mod cluster;
pub mod config;
pub mod corpus;
pub mod gates;
pub mod house;
pub mod kernels;
pub mod options;
pub mod proc;
pub mod raw;
pub mod report;
pub mod service;
pub mod shape;
pub mod workloads;
