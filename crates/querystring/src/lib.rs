//! The search language: text to syntax tree with positions; no engine.
