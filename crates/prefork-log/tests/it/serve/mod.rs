//! `prefork-log serve` and the clients that send to it.

mod client;
mod forks;
mod hostile;
mod kills;
mod lines;
mod receiver;
mod sockets;
mod speed;
mod stopped;
mod stream;
