"""The library of checks: each says in sentences what is still wrong, and nothing if all is well."""
