"""A lab's lock in the formats of other tools: ways out for those without labbox. Reads nothing, writes nothing."""
