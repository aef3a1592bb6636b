"""What is told of a group: tests of documents made from a core's life, without any process."""
