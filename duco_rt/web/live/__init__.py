"""The live service: from a channel of live samples to each viewer just what it asked for, in one ordered sequence."""
