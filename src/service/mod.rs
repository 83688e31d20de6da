//! One ICAP transaction, sans-IO: which service it asks for, what its body goes through, how it is answered, and what
//! became of it.
//!
//! | room | what |
//! |---|---|
//! | [`services`] | which path does what |
//! | [`facts`] | what is known of a message besides its body |
//! | [`transaction`] | the state machine: events in, actions out |
//! | [`respond`] | verdict × what the client allows → the answer |
//! | [`block_page`] | the HTTP answer in the place of a blocked message |
//! | [`trace`] | the trace that a message belongs to |
//! | [`outcome`] | what became of it, for metrics, trace and audit |

pub mod block_page;
pub mod facts;
pub mod outcome;
pub mod respond;
pub mod services;
pub mod trace;
pub mod transaction;
