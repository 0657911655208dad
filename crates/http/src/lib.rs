//! The HTTP face: routes, token endpoint, rate limit, errors.
