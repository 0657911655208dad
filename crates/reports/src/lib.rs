//! What a report is and what may happen to it: definitions, arguments, tasks, rights, use cases and ports.
