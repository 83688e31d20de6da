//! The server over real sockets.

mod admin;
mod answers;
mod baselines;
mod binary;
mod bodies;
mod deadlines;
mod downloads;
mod harness;
mod http_api;
mod listeners;
mod load;
mod logs;
mod mutations;
mod packaging;
mod partial;
mod probe;
mod profiles;
mod quotas;
mod redaction;
mod rules;
mod sanitize;
mod secrecy;
mod service_manager;
mod streamed;
mod tls;
mod traces;
