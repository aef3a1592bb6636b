"""The members' output: from their pipes, by whole lines, to where it belongs."""
