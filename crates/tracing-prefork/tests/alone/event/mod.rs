mod nested;
mod stack;
