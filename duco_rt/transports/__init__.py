"""One file an adapter, named kind_name; contracts in base."""
