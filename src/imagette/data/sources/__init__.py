"""Where labelled pictures come from: one file a source."""
