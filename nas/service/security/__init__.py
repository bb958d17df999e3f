"""Who may do what: tokens, scopes, hosts and origins, limits of requests, security headers."""
