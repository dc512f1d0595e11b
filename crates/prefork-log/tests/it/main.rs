//! Tests of the program `prefork-log`: each starts the program itself.

mod apache;
mod cat;
mod command_line;
mod common;
mod files;
mod follow;
mod jobs;
mod ls;
mod page;
mod pipe;
mod rings;
mod serve;
mod support;
mod systemd;
mod troubleshooting;
mod verify;
