"""Files: settings by what a transfer is for."""
