mod build;
mod drop_in;
mod names_match_tracing_appender;
