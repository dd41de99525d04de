"""Who a request is from, what it may do, and how much of it: the door of every process."""
