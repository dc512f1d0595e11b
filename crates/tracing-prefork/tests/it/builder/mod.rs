mod build;
mod drop_in;
mod messages;
mod names_match_tracing_appender;
