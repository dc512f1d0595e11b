mod errors;
mod user_code;
