//! Plays scenarios in the program `fork-tests`, and checks the pages and the sources of this repository.

mod program;

mod attacks;
mod bad_writers;
mod busy_parent;
mod chaos;
mod commands;
mod dependencies;
mod directories;
mod documented;
mod house;
mod injected_clock;
mod package;
mod pages;
mod paused;
mod retention;
mod shared_directory;
mod sizes;
