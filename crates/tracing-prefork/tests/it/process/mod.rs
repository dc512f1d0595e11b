mod user_code;
