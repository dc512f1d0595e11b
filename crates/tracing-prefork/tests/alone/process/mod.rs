mod processes;
mod user_code;
