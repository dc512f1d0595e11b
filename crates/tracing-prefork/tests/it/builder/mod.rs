mod build;
mod names_match_tracing_appender;
